# layout_change.sh LAYOUT KIND [ARGUMENT...]: what a hostile build makes of the layout that Kaniko has written.
set -x
cd "$1" || exit 1
kind=$2

compact() { tr -d ' \n' <"$1" >"$1.new" && mv "$1.new" "$1"; }
compact index.json
manifest=blobs/sha256/$(sed -n 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' index.json)
layer=blobs/sha256/$(tr -d ' \n' <"$manifest" | sed 's/.*"layers":\[[^]]*"digest":"sha256:\([0-9a-f]*\)".*/\1/') # the first

# The manifest is another one, so its digest is.
again() {
    digest=$(sha256sum "$manifest" | cut -c1-64)
    size=$(wc -c <"$manifest")
    mv "$manifest" "blobs/sha256/$digest"
    sed -i -E "s/\"size\":[0-9]+,\"digest\":\"sha256:[0-9a-f]+\"/\"size\":$size,\"digest\":\"sha256:$digest\"/" index.json
}

case $kind in
file) # FILE DIGEST SIZE: a layer that is a link to it
    compact "$manifest"
    sed -i -E "s/(\"layers\":.*)\"size\":[0-9]+,\"digest\":\"sha256:[0-9a-f]+\"/\1\"size\":$5,\"digest\":\"sha256:$4\"/" "$manifest"
    again
    ln -s "$3" "blobs/sha256/$4"
    ;;
folder) # FOLDER: another one, by a link
    mv "$PWD" "$PWD.old"
    ln -s "$3" "$PWD"
    ;;
blobs) # FOLDER
    mv blobs old
    ln -s "$3/blobs" blobs
    cp "$3/index.json" index.json
    ;;
other) # another image, made well: it is the build's to say what its image is
    compact "$manifest"
    printf 'FORGED' >forged
    sed -i -E "s/(\"layers\":.*)\"size\":[0-9]+,\"digest\":\"sha256:[0-9a-f]+\"/\1\"size\":6,\"digest\":\"sha256:$(sha256sum forged |
        cut -c1-64)\"/" "$manifest"
    mv forged "blobs/sha256/$(sha256sum forged | cut -c1-64)"
    again
    ;;
hard) ln "$layer" other ;;
fifo) rm "$layer" && mknod "$layer" p ;;
environ) rm "$layer" && ln -s /proc/1/environ "$layer" ;;
content) printf 'EVIL' | dd of="$layer" bs=1 seek=20 conv=notrunc ;;
larger) echo more >>"$layer" ;;
index) dd if=/dev/zero of=index.json bs=1 count=0 seek=2147483648 ;;
killed) kill -9 "$(pidof executor)" ;;
foreign) # a layer that says where else it may be had
    compact "$manifest"
    sed -i -E "s/(\"layers\":.*)\"digest\":/\1\"urls\":[\"http:\/\/trap.test\/layer\"],\"digest\":/" "$manifest"
    again
    ;;
esac
ls -lR . >&2
