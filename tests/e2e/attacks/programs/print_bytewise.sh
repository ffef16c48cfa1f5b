# Prints its argument one byte at a time, each a write of its own.
rest=$1
while [ -n "$rest" ]; do
    printf %s "${rest%"${rest#?}"}"
    rest=${rest#?}
    sleep 0.005
done
echo
