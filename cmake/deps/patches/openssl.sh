#!/bin/sh
# Run in OpenSSL's source folder.
set -eu

# The AVX-512 code is 0.6 MB of assembly for machines that gain little from it here. SHA-NI and AES-NI stay.
for f in crypto/aes/asm/aes-cfb-avx512.pl crypto/aes/asm/aesni-xts-avx512.pl crypto/modes/asm/aes-gcm-avx512.pl \
    crypto/bn/asm/rsaz-2k-avx512.pl crypto/bn/asm/rsaz-3k-avx512.pl crypto/bn/asm/rsaz-4k-avx512.pl; do
    sed -i -E 's/\$avx512(vaes|ifma) *= *[^;]*;/$avx512\1 = 0;/' "$f"
    if grep -E '\$avx512(vaes|ifma) *= ' "$f" | grep -qvE '= 0;'; then
        # multi-line assignments: force the switch where it is read
        sed -i -E 's/if \(\$avx512(vaes|ifma)\b/if (0 \&\& $avx512\1/' "$f"
    fi
done

# OPENSSL_ia32cap and OPENSSL_armcap are read before main() could look at the environment, which may be a tenant's.
sed -i 's/ossl_getenv("OPENSSL_ia32cap")/(variant_char *)0/' crypto/cpuid.c
sed -i 's/getenv("OPENSSL_armcap")/(char *)0/' crypto/armcap.c
! grep -q 'getenv("OPENSSL_' crypto/cpuid.c crypto/armcap.c

# libcrypto embeds its compiler's command line, and with it the path it was built in.
sed -i 's/^my \$cflags = .*/my $cflags = "-";/' util/mkbuildinf.pl
grep -q '^my \$cflags = "-";' util/mkbuildinf.pl
