# Disks that are full, folders that cannot be written, stdout that is gone: exit 1, one line, and what was there before is still whole.
. "$(dirname "$0")/lib.sh"
simulated
expect 0 "$SOWER" run sim.yaml --out undisturbed
wanted=$(results_of undisturbed)

# a limit on the size of files is a write error like that of a full disk, at many places; with room again the run goes on
for blocks in 1 8 40 80 200 900; do
    (ulimit -f $blocks && exec "$SOWER" run sim.yaml --out small --quiet) > out 2> err
    code=$?
    [ "$code" = 0 ] && break
    equal "$code" 1 "exit code with files of at most $blocks blocks"
    lines_said 1
    says "small/"
    [ -e small ] && nothing_half_written small
done
[ -e small/campaign.db ] || fail "no limit let the campaign start"
"$SOWER" run sim.yaml --out small > out 2> err
code=$?
[ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code with room again"
equal "$(results_of small)" "$wanted" "results after full disks"

# a small file system of its own, where one may be mounted
mkdir full
if mount -t tmpfs -o size=64k none full 2> /dev/null; then
    trap 'umount "$scratch/full" 2>/dev/null; rm -rf "$scratch"' EXIT
    expect 1 "$SOWER" run sim.yaml --out full/sim --quiet
    says "full/sim"
    lines_said 1
    nothing_half_written full/sim
    mount -o remount,size=64m full
    "$SOWER" run sim.yaml --out full/sim > out 2> err
    code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code with room again"
    equal "$(results_of full/sim)" "$wanted" "results after a full file system"
    umount full
else
    note_skip "no file system can be mounted here"
fi

# folders that cannot be made or written
echo x > file
expect 1 "$SOWER" run sim.yaml --out file/sub
says "file"
lines_said 1
expect 1 "$SOWER" run sim.yaml --out /proc/sower
lines_said 1
nobody() { # run a command as a user whom permission bits stop
    if [ "$(id -u)" != 0 ]; then "$@"
    else setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    fi
}
chmod 755 "$scratch"
if nobody test -x "$SOWER" 2> /dev/null && ! nobody touch "$scratch/x" 2> /dev/null || [ "$(id -u)" != 0 ]; then
    mkdir read_only
    cp sim.yaml read_only
    chmod 555 read_only
    expect 1 nobody "$SOWER" run read_only/sim.yaml --quiet
    says "read_only/sim.sower" "ermission"
    lines_said 1
    [ -e read_only/sim.sower ] && fail "something was written"
    # a campaign that may only be read can still be looked at
    chmod 755 read_only
    expect 0 "$SOWER" run read_only/sim.yaml
    chmod -R a+rX,a-w read_only
    expect 0 nobody "$SOWER" status read_only/sim.yaml
    expect 0 nobody "$SOWER" check read_only/sim.yaml
    expect 1 nobody "$SOWER" report read_only/sim.yaml
    says "report.html"
    lines_said 1
    expect 1 nobody "$SOWER" run read_only/sim.yaml --quiet
    lines_said 1
    chmod -R u+w read_only
else
    note_skip "no user whom permission bits stop"
fi

# stdout that is full or closed
if [ -c /dev/full ]; then
    for words in "version" "check sim.yaml" "check sim.yaml --json" "check --list keys" "status sim.yaml --out undisturbed" "run sim.yaml --out undisturbed" \
                 "run sim.yaml --out fresh" "plan sim.yaml --out fresh2" "init -o -" "--help" "run --help" "inspect sim.yaml"; do
        # shellcheck disable=SC2086
        case $words in inspect*) continue ;; esac
        "$SOWER" $words > /dev/full 2> err
        equal "$?" 1 "exit code of 'sower $words' with a full stdout"
    done
    equal "$(results_of fresh)" "$wanted" "results of a run that could not say where they are"
else
    note_skip "no /dev/full"
fi
for words in "version" "check sim.yaml" "run sim.yaml --out closed" "status sim.yaml --out closed" "plan sim.yaml --out closed"; do
    # shellcheck disable=SC2086
    "$SOWER" $words >&- 2> err
    equal "$?" 1 "exit code of 'sower $words' with stdout closed"
done
equal "$(results_of closed)" "$wanted" "results of a run with stdout closed"
equal "$(head -c 15 closed/campaign.db)" "SQLite format 3" "start of the database of a run with stdout closed"
"$SOWER" run sim.yaml --out closed3 <&- >&- 2>&-
equal "$(results_of closed3)" "$wanted" "results of a run with everything closed"
# messages of a closed stderr do not land in a file of the campaign
"$SOWER" run sim.yaml --out closed2 > out 2>&-
equal "$?" 0 "exit code with stderr closed"
grep -q round closed2/lock && fail "a message is in the lock file: $(head -n 1 closed2/lock)"
# a reader that goes away
"$SOWER" check --list keys 2> err | head -n 1 > /dev/null
[ -s err ] && grep -qv 'could not be written' err && fail "more than a line about the reader that went away"
exit 0
