/* The lease protocol of hachat, small enough to be searched completely.  README.md says what is modelled and what not.
 *
 * Two nodes, two servers, one failover; time in ticks.  Each NO_... takes one rule away, and then something must break.
 * Every step is one atomic choice.  Only `Time` hurries anybody: whoever does not take its turn is slow, paused or cut
 * off, and a question that is not executed is on its way, or lost.
 */

#ifndef SPAN
#define SPAN   1                        /* ticks for which a confirmation lasts */
#endif
#ifndef TERMS
#define TERMS  2                        /* grants before the failover; after it there is one more */
#endif
#ifndef FAILOVER
#define FAILOVER 1                      /* 0: there is none */
#endif
#ifndef CALM
#define CALM   0                        /* 1: at some moment calm begins, and a master has to be found */
#endif
#define DRIFT  1                        /* ticks by which two clocks measure the same while differently, at most */
#define LAG    1                        /* ticks within which a duty stops once its lease is over */
#define TTL    (SPAN + LAG + DRIFT)
#define DELAY  TTL                      /* the lock delay */

/* ---- the rules ---------------------------------------------------------------------------------------------- */

#ifdef NO_MARGIN                        /* the master trusts the whole ttl */
#define LASTS     TTL
#else
#define LASTS     SPAN
#endif
#ifdef NO_SENDING                       /* the deadline counts from the answer */
#define ELAPSED   0
#else
#define ELAPSED   node[n].since
#endif
#ifdef NO_DEADLINE                      /* the master goes on until it hears that the lease is lost */
#define TIMED     false
#else
#define TIMED     true
#endif
#ifdef NO_DRAIN                         /* the lease is given back while the duty still runs */
#define DRAINED   true
#else
#define DRAINED   !node[n].acting
#endif
#ifdef NO_SIGHT                         /* a candidate need not have seen the last event */
#define SEEN      true
#else
#define SEEN      q.current
#endif
#ifdef NO_RETRY                         /* a candidate that was refused does not ask again */
#define RETRIES   !node[n].refused
#else
#define RETRIES   true
#endif
#if defined(NO_TAKEOVER)                /* a candidate takes no lease but one that was given back */
#define QUIET(s, silent)   (!server[s].held || !ANOTHERS(server[s].holder))
#elif defined(NO_SILENCE)               /* a candidate takes a lease that was not given back at once */
#define QUIET(s, silent) true
#else
#define QUIET(s, silent)   (!server[s].held || !ANOTHERS(server[s].holder) || silent)
#endif
#if defined(NO_LOCK_DELAY)              /* a server that may have forgotten something is trusted at once */
#define SETTLED(s, settled) true
#elif defined(NO_FLOOR)                 /* only one that remembers nothing is */
#define SETTLED(s, settled) (server[s].identity == s || !server[s].holder || settled)
#else
#define SETTLED(s, settled) (server[s].identity == s || settled)
#endif
#ifdef NO_CONFIG                        /* tokens do not count failovers */
#define CONFIG    0
#else
#define CONFIG    s
#endif
#ifdef NO_WAIT                          /* an answer counts without replicas, which a deposed server has not */
#define ANSWERS(server) true
#else
#define ANSWERS(server) (server == primary)
#endif
#ifdef NO_RECORD                        /* a renewal sets a key that is gone again, whatever the record says */
#define RECORDED  true
#else
#define RECORDED  (server[s].holder == q.token && server[s].held)
#endif
#ifdef NO_COMPARE                       /* a renewal does not look whose key it is */
#define OURS      (server[s].key || RECORDED)
#else
#define OURS      (server[s].key == q.token || !server[s].key && RECORDED)
#endif
#ifdef NO_FENCE                         /* a write passes when its token is not lower than the key, or there is none */
#define PASSES(t) (t >= server[s].key)
#else
#define PASSES(t) (t == server[s].key)
#endif

/* ---- what there is ------------------------------------------------------------------------------------------ */

#define TOKEN(config, epoch, n)  ((config) * 16 + (epoch) * 2 + (n))    /* 0 is none; a greater one is later */
#define MORE(s)                  (calm || s == 0 && EPOCH(server[s].holder) < TERMS || s == 1 && server[s].identity == 0)
#define EPOCH(token)             (((token) % 16) / 2)
#define ANOTHERS(token)          ((token) && (token) % 2 != n)
#define FREE(s, silent)          (!ANOTHERS(server[s].key) || silent)    /* a key may outlive its holder */

#define NOTHING  0
#define ACQUIRE  1
#define RENEW    2
#define RELEASE  3

typedef Question {
	unsigned kind : 2;
	bit server;                             /* the one it was sent to */
	bool granted;                           /* it was executed and confirmed, and the answer is on its way */
	bool current;                           /* there was no event since the asker's sight */
	bool silent;                            /* the asker had seen none for a ttl */
	bool settled;                           /* the asker had known this server for the lock delay */
	unsigned token : 5
}

typedef Record {                                /* the key, and the hash beside it */
	unsigned key : 5;
	unsigned holder : 5;
	bool held;
	bit identity                            /* the server on which the holder took the lease */
}

typedef Node {
	bit server;                             /* the one it takes for the primary */
	bool news;                              /* there are events that it has not heard */
	bool acting;                            /* its duty runs: what only one may do at a time */
	unsigned silence : 3;                   /* ticks since its sight changed */
	unsigned age : 3;                       /* ticks since it has known its server */
	unsigned left : 3;                      /* ticks until its duty has stopped; above LAG it has the lease */
	unsigned since : 3;                     /* ticks since it sent its question */
	unsigned term : 5;                      /* the token of its term, or 0 */
#ifdef NO_RETRY
	bool refused;                           /* it asked for the lease and did not get it */
#endif
	Question now                            /* the question that it waits for */
}

Record server[2];
Node node[2];
Question late;                                  /* one that was given up, and may still arrive */
bit asker;                                      /* whose it is */
bit primary;                                    /* 1 after the failover */
bit behind;                                     /* the clock of node 1 has yet to tick */
unsigned latest : 5;                            /* the token of the latest term in which anybody acted */
bit s;                                          /* scratch, and back at 0 after each step: the server that executes */
bool lost;                                      /* and whether it said that the lease is another's */

#if CALM
bool calm;                                      /* node 1 has crashed; whatever node 0 asks is answered, and in time */
#define DIES(n) unless { calm && n == 1 }
#else
#define calm false
#define DIES(n)
#endif

#define CLEAR(q)  q.kind = NOTHING; q.server = 0; q.granted = 0; q.current = 0; q.silent = 0; q.settled = 0; q.token = 0
#define REST      s = 0; lost = false
#define WAITS     (node[n].now.kind && !node[n].now.granted)

/* ---- Redis -------------------------------------------------------------------------------------------------- */

#define MISS(q)  q.current = q.current && q.server != s

inline announce() {                             /* an event of node n in the stream of server s */
	node[1 - n].news = node[1 - n].news || node[1 - n].server == s;
	MISS(node[0].now);
	MISS(node[1].now);
	MISS(late)
}

inline execute(q) {                             /* the scripts, as node n asks for them */
	s = q.server;
	if
	:: !ANSWERS(s)                              /* whatever it does, nobody builds on it */
	:: else ->
	if
	:: q.kind == ACQUIRE && SEEN && FREE(s, q.silent) && QUIET(s, q.silent) && SETTLED(s, q.settled) && MORE(s) ->
		q.token = TOKEN(CONFIG, EPOCH(server[s].holder) + 1, n);
		server[s].key = q.token;
		server[s].holder = q.token;
		server[s].held = true;
		server[s].identity = s;
		announce();
		q.granted = true
	:: q.kind == RENEW && OURS ->
		server[s].key = q.token;
		announce();
		q.granted = true
	:: q.kind == RELEASE && server[s].held && server[s].holder == q.token && (!server[s].key || server[s].key == q.token) ->
		server[s].key = 0;
		server[s].held = false;
		announce()
	:: else -> lost = q.kind == RENEW
	fi
	fi
}

inline check_fence(t) {                         /* a write in the name of t, whenever it was sent, arrives at server s */
	assert(!t || !PASSES(t) || (server[s].holder == t && server[s].held))
}

/* The node expects no answer any more; one that asked to give its lease back has done what it can. */
inline close() {
	if
	:: node[n].now.kind == RELEASE && !node[n].acting -> node[n].term = 0
	:: else
	fi;
	CLEAR(node[n].now);
	node[n].since = 0
}

/* What a node asked is executed where it was sent to: soon, late or never.  Only the answer to an acquire or renew that
 * counts takes its time as well; the others may just as well have been executed later. */
active [2] proctype Network() {
	byte n = _pid;
	{ do
	:: d_step { WAITS ->
		execute(node[n].now);
		if
		:: node[n].now.granted
		:: else ->
			if
			:: lost && node[n].left > LAG -> node[n].left = LAG
			:: else
			fi;
#ifdef NO_RETRY
			node[n].refused = node[n].refused || node[n].now.kind == ACQUIRE;
#endif
			close()
		fi;
		REST }
	:: d_step { late.kind && asker == n -> execute(late); CLEAR(late); asker = 0; REST }
	od } DIES(n)
}

/* ---- the nodes ---------------------------------------------------------------------------------------------- */

#define PROMISING (QUIET(node[n].server, node[n].silence == TTL) && SETTLED(node[n].server, node[n].age == DELAY))
#define IDLE    (!node[n].now.kind)
#define REMAINS (ELAPSED < LASTS)
#define EXPECT  node[n].left = LASTS - ELAPSED + LAG

inline ask(what) {
	node[n].now.kind = what;
	node[n].now.server = node[n].server;
	node[n].now.token = node[n].term
}

inline stop() {
	node[n].acting = false;
	node[n].left = 0
}

active [2] proctype Elector() {
	byte n = _pid - 2;
	{ do
	/* a candidate asks, saying what it saw; what would be refused at this moment would be so ever after, and is left out */
	:: d_step { !node[n].term && IDLE && !node[n].news && ANSWERS(node[n].server) && PROMISING && MORE(node[n].server) && RETRIES ->
		ask(ACQUIRE);
		node[n].now.current = true;
		node[n].now.silent = node[n].silence == TTL;
		node[n].now.settled = node[n].age == DELAY }
	:: d_step { node[n].now.granted && node[n].now.kind == ACQUIRE ->
		node[n].term = node[n].now.token;
		node[n].silence = 0;
		if
		:: REMAINS ->
			assert(!node[1 - n].acting);    /* two masters never act at once */
			assert(node[n].term > latest);  /* tokens rise */
			latest = node[n].term;
			node[n].acting = true;
			EXPECT
		:: else                                 /* the term was over before it was known */
		fi;
		close() }

	/* a master renews while it has the lease, may stop at any time, and gives the lease back */
	:: d_step { node[n].acting && node[n].left > LAG && IDLE && ANSWERS(node[n].server) -> ask(RENEW) }
	:: d_step { node[n].now.granted && node[n].now.kind == RENEW ->
		if
		:: node[n].left > LAG && REMAINS -> EXPECT
		:: else
		fi;
		close() }
	:: d_step { node[n].acting && !calm -> stop() }
	:: d_step { node[n].term && DRAINED && IDLE -> ask(RELEASE) }

	/* both give up what is not answered, hear of events, and of the failover */
	:: d_step { WAITS && !ANSWERS(node[n].now.server) -> close() }
	:: d_step { WAITS && ANSWERS(node[n].now.server) && !calm ->
		asker = n;
		late.kind = node[n].now.kind;
		late.server = node[n].now.server;
		late.token = node[n].now.token;
		late.current = node[n].now.current;
		late.silent = node[n].now.silent;
		late.settled = node[n].now.settled;
		close() }
	:: d_step { node[n].now.granted && !calm -> close() }
	:: d_step { node[n].news -> node[n].news = false; node[n].silence = 0 }
	:: d_step { primary && !node[n].server ->
		node[n].server = 1;
		node[n].news = false;
		node[n].silence = 0;
		node[n].age = 0 }
	od } DIES(n)
}

/* ---- time --------------------------------------------------------------------------------------------------- */

inline tick(n) {
	node[n].silence = (node[n].silence < TTL && !node[n].term && ANSWERS(node[n].server) -> node[n].silence + 1 : node[n].silence);
	node[n].age = (node[n].server && node[n].age < DELAY && server[1].identity == 0 -> node[n].age + 1 : node[n].age);
	node[n].since = (node[n].now.kind && node[n].since < LASTS -> node[n].since + 1 : node[n].since);
	if
	:: TIMED && node[n].left == 1 -> node[n].acting = false; node[n].left = 0
	:: TIMED && node[n].left > 1 -> node[n].left--
	:: else
	fi
}

#define TICKS (!calm || !node[0].now.kind)      /* in a calm, answers come within the tick */

active proctype Time() {
	do
	:: d_step { TICKS && !behind -> tick(0); behind = 1 }
	:: d_step { TICKS && behind -> tick(1); behind = 0 }
	od
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------ */

/* A key may go at any time: nobody trusts Redis's clock.  The replica lags as it likes, also behind what another one has
 * confirmed, and is promoted once: what counts is the moment of its last copy.  The deposed server still answers those
 * who take it for the primary. */
active proctype Redis() {
	do
	:: d_step { server[0].key -> server[0].key = 0 }
	:: d_step { primary && server[1].key -> server[1].key = 0 }
	:: d_step { FAILOVER && !primary && !server[1].holder && server[0].holder ->
		server[1].key = server[0].key;
		server[1].holder = server[0].holder;
		server[1].held = server[0].held }
	:: d_step { FAILOVER && !primary && !calm ->
		primary = 1;
		s = 0;
		if
		:: !ANSWERS(s) ->                 /* nothing on it, and no question to it, is of any consequence now */
			server[0].key = 0; server[0].holder = 0; server[0].held = 0;
			node[0].news = 0; node[0].silence = 0;
			node[1].news = 0; node[1].silence = 0;
			CLEAR(late); asker = 0
		:: else
		fi }
	:: d_step { s = primary; check_fence(latest); check_fence(server[s].key); REST }
	od
}

/* ---- what must come ------------------------------------------------------------------------------------------- */

/* With CALM=1 and weak fairness (whoever can take a step for ever takes one): at some moment, in whatever state that finds
 * things, node 1 crashes, Redis fails over no more, and what node 0 asks is answered in time.  Then node 0 becomes master.
 * Time goes on, or nobody's silence would last; what is on its way may still arrive. */
#if CALM
active proctype Calm() { calm = true }

ltl elected { <> calm -> <> (calm && node[0].acting) }
#endif
