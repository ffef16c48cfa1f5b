# Processes that stay, in every way that a shell knows. Once a later step has begun they put their page into the output.
cat >"$TMPDIR/evil.sh" <<EOF
trap '' TERM HUP INT
while [ ! -e '$PWD/later' ]; do sleep 0.01; done
[ "\$(cat '$PWD/dist/index.html')" = EVIL ] || echo EVIL >'$PWD/dist/index.html'
sleep 600
EOF
(sh "$TMPDIR/evil.sh" &) >/dev/null 2>&1
setsid sh "$TMPDIR/evil.sh" >/dev/null 2>&1 &
setsid setsid sh "$TMPDIR/evil.sh" <&- >&- 2>&- &
setsid sh -c "trap '' TERM; (sh '$TMPDIR/evil.sh' &) & kill -STOP \$\$" >/dev/null 2>&1 &
sleep 0.3
