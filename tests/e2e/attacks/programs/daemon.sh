# Processes that stay, in every way that a shell knows. When the step's own shell has ended they put their page into the
# output, until the end of the job.
cat >"$TMPDIR/evil.sh" <<EOF
trap '' TERM HUP INT
while kill -0 $PPID 2>/dev/null; do sleep 0.01; done
while :; do echo EVIL >'$PWD/dist/index.html'; sleep 0.01; done
EOF
(sh "$TMPDIR/evil.sh" &) >/dev/null 2>&1
setsid sh "$TMPDIR/evil.sh" >/dev/null 2>&1 &
setsid setsid sh "$TMPDIR/evil.sh" <&- >&- 2>&- &
setsid sh -c "trap '' TERM; (sh '$TMPDIR/evil.sh' &) & kill -STOP \$\$" >/dev/null 2>&1 &
sleep 0.3
