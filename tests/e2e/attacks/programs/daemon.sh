# Processes that stay, in every way that a shell knows. When the step's own shell has ended they put their page into the
# output, once: what goes on changing is refused.
cat >"$TMPDIR/evil.sh" <<EOF
trap '' TERM HUP INT
while kill -0 $PPID 2>/dev/null; do sleep 0.01; done
[ "\$(cat '$PWD/dist/index.html')" = EVIL ] || echo EVIL >'$PWD/dist/index.html'
sleep 600
EOF
(sh "$TMPDIR/evil.sh" &) >/dev/null 2>&1
setsid sh "$TMPDIR/evil.sh" >/dev/null 2>&1 &
setsid setsid sh "$TMPDIR/evil.sh" <&- >&- 2>&- &
setsid sh -c "trap '' TERM; (sh '$TMPDIR/evil.sh' &) & kill -STOP \$\$" >/dev/null 2>&1 &
sleep 0.3
