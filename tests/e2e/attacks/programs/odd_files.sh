# odd_files.sh KIND: puts something into the output that is no page.
cd dist || exit 1
case $1 in
fifo) mkfifo pipe ;;
socket) /attack/files socket here ;;
device) mknod null c 1 3 || mknod disk b 8 0 ;;
sparse) truncate -s 5T giant.bin || truncate -s 900G giant.bin ;;
hard) ln /etc/secret-of-root page.html ;;
foreign) # a file of another user
    cp index.html page.html && chown 12345 page.html ;;
deep) /attack/files deep 3000 ;; # deeper than a path may be long
many) /attack/files many 101000 ;; # more than anybody needs
names)
    echo x >"$(printf 'a\n00:00:00 publish  FORGED\n::error::FORGED')"
    echo x >"$(printf 'b\033[2K\r00:00:00 FORGED')"
    echo x >"$(printf 'c\377\376')"
    echo x >-rf
    echo x >'..\..\x'
    echo x >' ' ;;
esac
