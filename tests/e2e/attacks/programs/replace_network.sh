# As root, in the container of a Dockerfile's RUN: whoever asks for the registry afterwards shall come to somebody else,
# and believe that it is the registry.
names="registry.test s3.test jobs-bucket.s3.test git.test"
hosts="127.0.0.1 localhost"
for name in $names; do hosts="10.98.0.40 $name
$hosts"; done
echo "$hosts" >/tmp/hosts
cat /tmp/hosts >/etc/hosts
mv /etc/hosts /etc/hosts.old 2>/dev/null && cp /tmp/hosts /etc/hosts
echo "nameserver 10.98.0.40" >/etc/resolv.conf
echo "hosts: files" >/etc/nsswitch.conf
mkdir -p /etc/ssl/certs
for file in /kaniko/ssl/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt /etc/test-ca.pem; do
    echo "nobody" >"$file"
    mv "$file" "$file.old" 2>/dev/null && ln -s /tmp/hosts "$file"
done
