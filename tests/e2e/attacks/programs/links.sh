# Every link that could make the publisher read what the build may not.
cd dist || exit 1
ln -s /etc/secret-of-root symbolic
ln -s ../../../../../../etc/secret-of-root relative
ln -s /etc folder
mkdir real && ln -s /etc/secret-of-root real/deep
ln /etc/secret-of-root hard 2>/dev/null
ln -s /proc/1/environ environ
ln -s /proc/self/environ self
