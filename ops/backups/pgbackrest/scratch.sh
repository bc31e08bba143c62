# Work in the folder in which a backup is restored aside, on the database's machine: a POSIX shell, Linux's /proc, flock.
#   sh -c TEXT scratch ACTION FOLDER OWNER [ARGUMENT...]
# OWNER is the user to whom the folder is given; empty where we are that user. What goes wrong is said on standard error.
set -eu
action=$1 folder=$2 owner=$3
shift 3
mark=generalprobe.json

own() { [ -z "$owner" ] || chown "$owner:" "$@"; }

make_folder() { [ -d "$1" ] || { mkdir -m 700 "$1" && own "$1"; }; }

# A file appears whole, or not at all.
put() {
  umask 077
  printf '%s\n' "$2" > "$folder/.$1.$$"
  own "$folder/.$1.$$"
  sync "$folder/.$1.$$" 2> /dev/null || sync
  mv -f "$folder/.$1.$$" "$folder/$1"
}

# The server of this folder. A number in a file may be another process's by now; where it works tells.
serving() {
  pid=$(sed -n 1p "$folder/data/postmaster.pid" 2> /dev/null) || return 0
  if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(cd "$folder/data" && pwd -P)" ]; then echo "$pid"; fi
}

# pgBackRest's processes that restore into this folder, by a word of their call, which nobody else has.
restoring() {
  { printf '%s\n' "--pg1-path=$folder/data" | grep -lzFxf - /proc/[0-9]*/cmdline || :; } 2> /dev/null |
    sed 's,/proc/\([0-9]*\)/.*,\1,'
}

# End what runs here within a minute.
end() {
  round=0
  while servers=$(serving) programs=$(restoring); [ -n "$servers$programs" ]; do
    if [ "$round" -lt 2 ]; then
      for pid in $servers; do kill -QUIT "$pid" || :; done
      for pid in $programs; do kill -TERM "$pid" || :; done
    elif [ "$round" -gt 600 ]; then
      echo "what runs in $folder does not end:" $servers $programs >&2
      exit 1
    fi
    round=$((round + 1))
    sleep 0.1
  done
}

case $action in
  facts) # USER: our number, the user's, how runuser is called; cron's PATH has no place for it.
    id -u
    id -u "$1" 2> /dev/null || echo none
    for program in runuser /usr/sbin/runuser /sbin/runuser; do
      if command -v "$program" > /dev/null; then echo "$program"; break; fi
    done ;;
  programs) # FOLDER...: the first that holds a server's programs.
    for place; do
      if [ -f "$place/pg_ctl" ] && [ -f "$place/postgres" ]; then echo "$place"; break; fi
    done ;;
  look) # What it is, its mark in a line, and what is in it.
    if [ -L "$folder" ]; then echo link
    elif [ -d "$folder" ]; then
      echo folder
      { tr -d '\n' < "$folder/$mark"; } 2> /dev/null || :
      echo
      ls -A "$folder"
    elif [ -e "$folder" ]; then echo file
    else echo nothing; fi ;;
  room) # LIVE...: the nearest folder that is there, this one without links, kB free and used, a server's folder around it.
    place=$folder
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    real=$(cd "$place" && pwd -P)${folder#"$place"}
    echo "$place"
    echo "$real"
    df -Pk "$place" | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p'
    if [ -e "$folder" ]; then du -sk "$folder" 2> /dev/null | cut -f1; else echo 0; fi
    at=$real
    while [ ! -e "$at/PG_VERSION" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
    if [ -e "$at/PG_VERSION" ]; then echo "$at"; else echo; fi
    for live; do (cd "$live" 2> /dev/null && pwd -P) || echo "$live"; done ;;
  make) # MARK: anew; the mark comes first.
    make_folder "$folder"
    put "$mark" "$1"
    for name in data tablespaces s; do make_folder "$folder/$name"; done
    put postgresql.conf "# Of a copy that was restored aside; what holds stands on the server's command line."
    put hba.conf "local all all trust"
    put ident.conf "" ;;
  major) cat "$folder/data/PG_VERSION" ;;
  ready) # Wait until the server has recovered; else what it said last. pg_ctl is content when it begins to.
    while [ -n "$(serving)" ]; do
      if [ "$(sed -n 8p "$folder/data/postmaster.pid" 2> /dev/null | tr -d ' ')" = ready ]; then echo ready; exit; fi
      sleep 0.1
    done
    echo ended
    { grep -aEw 'FATAL|PANIC|ERROR' "$folder/server.log" || :; } 2> /dev/null | tail -n 1 ;;
  clear) # The mark goes last.
    end
    find "$folder" -mindepth 1 -maxdepth 1 ! -name "$mark" -exec rm -rf {} +
    rm -f "$folder/$mark"
    rmdir "$folder" ;;
  hold) # [SECONDS]: keep others away until our standard input ends, or nothing has come for so long.
    exec 2>&1
    command -v flock > /dev/null || { echo "there is no program flock"; exit 1; }
    make_folder "$(dirname "$folder")"
    lock=$(dirname "$folder")/.$(basename "$folder").lock
    if [ -L "$lock" ]; then echo "$lock is a link"; exit 1; fi
    (umask 077 && : >> "$lock" && own "$lock")
    # The end of a run before us may reach this machine a little later.
    patience=${1:-}
    command -v timeout > /dev/null || patience=
    flock -w 5 "$lock" sh -c '
      echo held
      [ -n "$1" ] || exec cat > /dev/null
      while [ -n "$(timeout "$1" dd bs=64 count=1 2> /dev/null)" ]; do :; done' hold "$patience" || echo busy ;;
esac
