/*
 * Compiled into librdkafka beside its own sources (librdkafka.sh says why): what a producer's code calls of the parts
 * that are left out. Nothing here is reached with the settings that we make, but for the list of assignors, which is
 * empty.
 */
#include "rdkafka_int.h"

#include "rdkafka_assignor.h"
#include "rdkafka_lz4.h"
#include "rdkafka_mock.h"

int unittest_mock_cluster(void);
int unittest_mock_cluster(void) { return 0; }

int rd_kafka_assignors_init(rd_kafka_t *rk, char *errstr, size_t errstr_size) {
    (void)errstr;
    (void)errstr_size;
    rd_list_init(&rk->rk_conf.partition_assignors, 0, NULL);
    return 0;
}

rd_kafka_resp_err_t rd_kafka_lz4_decompress(rd_kafka_broker_t *rkb, int proper_hc, int64_t Offset, char *inbuf,
                                            size_t inlen, void **outbuf, size_t *outlenp) {
    (void)rkb, (void)proper_hc, (void)Offset, (void)inbuf, (void)inlen, (void)outbuf, (void)outlenp;
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

rd_kafka_resp_err_t rd_kafka_lz4_compress(rd_kafka_broker_t *rkb, int proper_hc, int comp_level, rd_slice_t *slice,
                                          void **outbuf, size_t *outlenp) {
    (void)rkb, (void)proper_hc, (void)comp_level, (void)slice, (void)outbuf, (void)outlenp;
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

rd_kafka_mock_cluster_t *rd_kafka_mock_cluster_new(rd_kafka_t *rk, int broker_cnt) {
    (void)rk, (void)broker_cnt;
    return NULL;
}

void rd_kafka_mock_cluster_destroy(rd_kafka_mock_cluster_t *mcluster) { (void)mcluster; }

const char *rd_kafka_mock_cluster_bootstraps(const rd_kafka_mock_cluster_t *mcluster) {
    (void)mcluster;
    return NULL;
}

rd_kafka_resp_err_t rd_kafka_mock_broker_set_rtt(rd_kafka_mock_cluster_t *mcluster, int32_t broker_id, int rtt_ms) {
    (void)mcluster, (void)broker_id, (void)rtt_ms;
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}
