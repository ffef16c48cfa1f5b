# Reads every file that it can, for what looks like a secret of the job or the way to the credentials.
for folder in /etc /run /tmp /var /home /root /opt /srv /mnt /dev/shm /workspace /var/lib/caisson "$HOME" "$TMPDIR" "$PWD/.." /; do
    deep=-r
    [ "$folder" != / ] || deep=-s
    grep $deep -a -s -o -h -I --exclude-dir=witness -e 'canary-[a-z0-9-]*' -e '/v2/credentials/[a-z0-9-]*' \
        "$folder" 2>/dev/null
done | sort -u >>"$WITNESS"
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/task/*/environ; do
    tr '\0' '\n' <"$file" 2>/dev/null | grep -a -o -e 'canary-[a-z0-9-]*' -e '/v2/credentials/[a-z0-9-]*'
done | sort -u >>"$WITNESS"
