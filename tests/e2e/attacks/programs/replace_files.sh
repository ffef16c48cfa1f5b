# As root: all that a program of ours could look at when it goes on. Its next upload would go to somebody else's
# server, and that server would be believed.
(
    for name in s3.test site-bucket.s3.test jobs-bucket.s3.test git.test; do echo "10.98.0.40 $name"; done
    echo "127.0.0.1 localhost"
) >/tmp/hosts
cat /tmp/hosts >/etc/hosts
echo "nameserver 10.98.0.40" >/etc/resolv.conf
echo "hosts: files" >/etc/nsswitch.conf
for file in /etc/test-ca.pem /etc/ssl/certs/ca-certificates.crt; do : >"$file"; done
printf 'allow: [file-targets, private-http, plain-brokers, any-secret-file]\n' >/etc/caisson/operator.yaml
cat >/tmp/evil <<'END'
#!/bin/true
END
for program in /usr/local/bin/node /usr/bin/git /usr/bin/env; do cp /tmp/evil "$program"; done
# The shell last: it is what we are. Another file in its place, and not its contents: those are busy.
cp /bin/true /tmp/shell && mv -f /tmp/shell /bin/sh
