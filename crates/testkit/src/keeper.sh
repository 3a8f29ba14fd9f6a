# Keeps one private PostgreSQL cluster for the process at the other end of its standard input.
#
#   $1 the folder, which exists, is ours and goes with us
#   $2 the folder of PostgreSQL's programs
#
# Each line read is a command (create, start PORT, stop) and is answered with "ok" or "failed". When the input ends,
# also because the process was killed, the server is ended and the folder removed. Neither a signal nor an answer that
# nobody reads any more may come before that.
trap '' HUP INT TERM PIPE

folder=$1
programs=$2
data=$folder/data
log=$folder/postgres.log

create() {
    "$programs/initdb" --pgdata="$data" --username=parlance --auth=trust --encoding=UTF8 --locale=C --no-sync || return 1
    cat >>"$data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = 128MB
SETTINGS
}

start() {
    "$programs/pg_ctl" start --pgdata="$data" --log="$log" --wait --timeout=60 --options="-p $1"
}

# Without a shutdown checkpoint: the next start recovers from the log, as after a crash.
stop() {
    "$programs/pg_ctl" stop --pgdata="$data" --mode=immediate --wait --timeout=60
}

answer() {
    if "$@" </dev/null >>"$log" 2>&1; then echo ok; else echo failed; fi 2>/dev/null
}

while read -r command port; do
    case $command in
    create) answer create ;;
    start) answer start "$port" ;;
    stop) answer stop ;;
    *) echo failed ;;
    esac
done

stop </dev/null >>"$log" 2>&1
cd / && rm -rf -- "$folder"
