#!/usr/bin/env ruby
# A worker in another language: it takes people's messages from hachat's queue and answers them, with Ruby's standard
# library alone.  docs/wire.md is the contract it keeps to.
#
#   ruby worker.rb REDIS_HOST REDIS_PORT CLUSTER NODE SCRIPTS
#
# SCRIPTS is the folder of hachat's Lua scripts.  Daemons that run beside it have `worker.chat_slots = 0`.

require "json"
require "securerandom"
require "socket"

HOST, PORT, CLUSTER, NODE, SCRIPTS = ARGV
LIFE, BEAT, DEATHS, TAKE = 10_000, 3, 3, 8

# The little of Redis's protocol that a client needs.
class Redis
  class Error < StandardError; end

  def initialize
    @socket = TCPSocket.new(HOST, PORT)
  end

  def call(*arguments)
    words = arguments.flatten.map(&:to_s)
    @socket.write("*#{words.size}\r\n" + words.map { |word| "$#{word.bytesize}\r\n#{word}\r\n" }.join)
    read.tap { |answer| raise answer if answer.is_a?(Error) }
  end

  def script(name, keys, *arguments)
    call("EVAL", File.read("#{SCRIPTS}/#{name}.lua"), keys.size, keys, arguments)
  end

  private

  def read
    kind, rest = @socket.gets.chomp.then { |line| [line[0], line[1..]] }
    case kind
    when "+" then rest
    when "-" then Error.new(rest)
    when ":" then rest.to_i
    when "$" then rest == "-1" ? nil : @socket.read(rest.to_i + 2)[0...-2].force_encoding("UTF-8")
    when "*" then rest == "-1" ? nil : Array.new(rest.to_i) { read }
    end
  end
end

def key(name) = "{hachat:#{CLUSTER}}:#{name}"
def keys(*names) = names.map { |name| key(name) }

CONSUMER = "#{NODE}:#{SecureRandom.hex(4)}"
READY = keys("ready:chat", "ready:work")
TURN = keys(*%w[ready:chat counters outready bell deaths dead said detached jobs jobdata])

# What this worker has to say; nil for what it leaves to others.
def answer(text)
  case text
  when /\A@?hachat[:,]?\s+ruby\s+(?<rest>.+)\z/im then "ruby heard: #{$~[:rest]}"
  when /\A@?hachat[:,]?\s+slow\z/i then sleep(60) && "done"
  end
end

# One entry of a turn: a head that is finished with its replies, or, without a head, a look at what waits.
def commit(token, conversation, head: "", pass: false, give_up: "", replies: [])
  words = replies.flat_map { |reply| [reply[:room], "#{reply[:id]}|#{JSON.generate(reply)}"] }
  flags = (pass ? "w" : "") + (give_up.empty? ? "" : "d")
  letter = give_up.empty? ? [] : [give_up, ""]
  [token, conversation, head, "#{replies.size} 0 #{flags}", *letter, *words]
end

def handle(token, conversation, head)
  id, data = head.split("|", 2)
  message = JSON.parse(data)
  text = answer(message["text"].to_s) if message.fetch("v", 1) <= 2 && message["kind"] == "message"
  return commit(token, conversation, pass: true) if text.nil? && message.fetch("v", 1) > 2
  room = "#{message["room"]["adapter"]}/#{message["room"]["id"]}"
  stem = [id, message["retried"]].compact.join("/")
  replies = text ? [{ id: "#{stem}/ruby/1", room: room, text: text, about: id }] : []
  receipt = { id: "#{stem}/receipt", room: room, op: "receipt", text: message["event"].to_s, about: id }
  commit(token, conversation, head: id, replies: message["receipt"] ? [*replies, receipt] : replies)
rescue JSON::ParserError, NoMethodError => error
  commit(token, conversation, head: id, give_up: "not an envelope: #{error.class}")
end

# Says goodbye even when killed: nothing to do, for its lease of life runs out and others take over.
def live
  redis = Redis.new
  me = { node: NODE, boot: CONSUMER.split(":").last, pid: Process.pid, http: "", version: "ruby", started: Time.now.to_f,
         beat: BEAT.to_f, life: LIFE / 1000.0, schema: 2 }
  redis.script("join", keys("members", "nodes", "gone"), NODE, CONSUMER, JSON.generate(me), LIFE, 86_400_000, "")
  Thread.new do
    loop do
      gone = redis.script("beat", keys("nodes") + READY, CONSUMER, LIFE, "workers")
      $reaped.concat(reap(redis)) unless gone.empty?
      sleep BEAT
    end
  end
end

def reap(redis)
  names = keys(*%w[nodes gone deaths dead counters said detached])
  redis.script("reap", names + READY, "workers", CONSUMER, TAKE, DEATHS, key("mailbox:"), "chat", "-work")
       .each_slice(3).map { |_, token, conversation| [token, conversation] }
end

def turn(redis, commits)
  words = ["workers", CONSUMER, "chat", 1000, key("mailbox:"), key("outbox:"), TAKE - commits.size, 10_000, commits.size]
  told = redis.script("inbound_turn", TURN, words, commits)
  waiting = commits.each_with_index.map { |entry, n| [entry[0], entry[1], told[2 * n + 1]] }
  taken = told[(2 * commits.size)..].each_slice(3).to_a
  (waiting + taken).reject { |_, _, head| head.to_s.empty? }
end

$reaped = []
$stdout.sync = true
redis = Redis.new
begin
  redis.call("XGROUP", "CREATE", READY[0], "workers", "0", "MKSTREAM")
rescue Redis::Error => error
  raise unless error.message.start_with?("BUSYGROUP")
end
live
puts "ready"
$leaving = false
trap("TERM") { $leaving = true }
commits = []
until $leaving
  heads = turn(redis, commits)
  looks = $reaped.shift($reaped.size).map { |token, conversation| commit(token, conversation) }
  commits = heads.map { |token, conversation, head| handle(token, conversation, head) } + looks
  next unless commits.empty?
  read = redis.call("XREADGROUP", "GROUP", "workers", CONSUMER, "COUNT", 1, "BLOCK", 500, "STREAMS", READY[0], ">")
  commits = (read ? read[0][1] : []).map { |token, fields| commit(token, fields[1]) }
end
turn(redis, commits)
redis.script("hand_back", [READY[0], key("detached")], "workers", CONSUMER)
redis.script("leave", keys("members", "nodes") + READY, CONSUMER, "workers")
