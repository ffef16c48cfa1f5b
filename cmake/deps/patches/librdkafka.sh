#!/bin/sh
# Run in librdkafka's source folder. We produce, uncompressed or with gzip: what only consumers, tests, telemetry and
# other codecs need is not compiled (librdkafka_producer.c stands in for it), and was 0.9 MB of the binary.
set -eu

# Every row of the table of settings holds its documentation, which only a program that prints it needs, and room for 21
# names of values, which only a dozen rows have.
perl -0pi -e '
    s/const char \*desc;/char desc[1];/ or die "desc";
    s/struct \{(\s*int val;\s*const char \*str;.*?)\} s2i\[21\];/const struct rd_kafka_s2i *s2i;/s or die "s2i";
    my $fields = $1;
    s/struct rd_kafka_property \{/struct rd_kafka_s2i {$fields};\nstruct rd_kafka_property {/ or die "property";
    s/RD_ARRAYSIZE\(prop->s2i\)/(prop->s2i ? 21 : 0)/g or die "sizes";
    s/if \(prop->s2i\[0\]\.str\)/if (prop->s2i && prop->s2i[0].str)/g or die "firsts";
    s/\.s2i(\s*)=(\s*)\{/.s2i$1=$2(const struct rd_kafka_s2i[21]){/g or die "values";
' rdkafka_conf.c
