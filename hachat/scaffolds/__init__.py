"""What `hachat new` makes: folders of templates, in which `$title` and the like stand in texts and in names of files."""
