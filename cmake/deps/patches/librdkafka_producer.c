/*
 * Compiled into librdkafka beside its own sources (librdkafka.sh says why): what a producer's code names of the parts that
 * are left out. A consumer's group, assignment and fetching are reached by consumers alone, whose handle we never make;
 * telemetry, LZ4 and the mock cluster by settings that we do not make. Of the list of assignors a producer needs that it
 * is empty.
 */
#include "rdkafka_int.h"

#include "rdkafka_assignment.h"
#include "rdkafka_assignor.h"
#include "rdkafka_cgrp.h"
#include "rdkafka_fetcher.h"
#include "rdkafka_lz4.h"
#include "rdkafka_mock.h"
#include "rdkafka_telemetry.h"
#include "rdunittest.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* ---- consumers ---- */

int rd_kafka_assignors_init(rd_kafka_t *rk, char *errstr, size_t errstr_size) {
    rd_list_init(&rk->rk_conf.partition_assignors, 0, NULL);
    return 0;
}

void rd_kafka_assignors_term(rd_kafka_t *rk) { rd_list_destroy(&rk->rk_conf.partition_assignors); }

void rd_kafka_assignment_init(rd_kafka_t *rk) {}
void rd_kafka_assignment_destroy(rd_kafka_t *rk) {}
void rd_kafka_assignment_partition_stopped(rd_kafka_t *rk, rd_kafka_toppar_t *rktp) {}

const char *rd_kafka_cgrp_state_names[] = {""};
const char *rd_kafka_cgrp_join_state_names[] = {""};

rd_kafka_cgrp_t *rd_kafka_cgrp_new(rd_kafka_t *rk, rd_kafka_group_protocol_t group_protocol,
                                   const rd_kafkap_str_t *group_id, const rd_kafkap_str_t *client_id) {
    return NULL;
}

void rd_kafka_cgrp_serve(rd_kafka_cgrp_t *rkcg) {}
void rd_kafka_cgrp_terminate(rd_kafka_cgrp_t *rkcg, rd_kafka_replyq_t replyq) {}
void rd_kafka_cgrp_destroy_final(rd_kafka_cgrp_t *rkcg) {}
void rd_kafka_cgrp_op(rd_kafka_cgrp_t *rkcg, rd_kafka_toppar_t *rktp, rd_kafka_replyq_t replyq, rd_kafka_op_type_t type,
                      rd_kafka_resp_err_t err) {}
void rd_kafka_cgrp_coord_dead(rd_kafka_cgrp_t *rkcg, rd_kafka_resp_err_t err, const char *reason) {}
void rd_kafka_cgrp_coord_query(rd_kafka_cgrp_t *rkcg, const char *reason) {}
void rd_kafka_cgrp_metadata_update_check(rd_kafka_cgrp_t *rkcg, rd_bool_t do_join) {}
void rd_kafka_cgrp_consumer_expedite_next_heartbeat(rd_kafka_cgrp_t *rkcg, const char *reason) {}
rd_bool_t rd_kafka_cgrp_assignment_is_lost(rd_kafka_cgrp_t *rkcg) { return rd_false; }

rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata_new(const char *group_id) { return NULL; }
rd_kafka_consumer_group_metadata_t *
rd_kafka_consumer_group_metadata_dup(const rd_kafka_consumer_group_metadata_t *cgmetadata) {
    return NULL;
}
void rd_kafka_consumer_group_metadata_destroy(rd_kafka_consumer_group_metadata_t *cgmetadata) {}

int rd_kafka_broker_fetch_toppars(rd_kafka_broker_t *rkb, rd_ts_t now) { return 0; }
rd_ts_t rd_kafka_toppar_fetch_decide(rd_kafka_toppar_t *rktp, rd_kafka_broker_t *rkb, int force_remove) { return 0; }
rd_kafka_fetch_pos_t rd_kafka_toppar_fetch_decide_next_fetch_start_pos(rd_kafka_toppar_t *rktp) {
    return (rd_kafka_fetch_pos_t) {RD_KAFKA_OFFSET_INVALID, -1};
}

/* ---- telemetry: enable.metrics.push is false ---- */

void rd_kafka_telemetry_clear(rd_kafka_t *rk, rd_bool_t clear_control_flow_fields) {}
void rd_kafka_telemetry_await_termination(rd_kafka_t *rk) {}
void rd_kafka_telemetry_schedule_termination(rd_kafka_t *rk) {}
void rd_kafka_set_telemetry_broker_maybe(rd_kafka_t *rk, rd_kafka_broker_t *rkb) {}
void rd_kafka_handle_get_telemetry_subscriptions(rd_kafka_t *rk, rd_kafka_resp_err_t err) {}
void rd_kafka_handle_push_telemetry(rd_kafka_t *rk, rd_kafka_resp_err_t err) {}

/* ---- LZ4 ---- */

rd_kafka_resp_err_t rd_kafka_lz4_decompress(rd_kafka_broker_t *rkb, int proper_hc, int64_t Offset, char *inbuf,
                                            size_t inlen, void **outbuf, size_t *outlenp) {
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

rd_kafka_resp_err_t rd_kafka_lz4_compress(rd_kafka_broker_t *rkb, int proper_hc, int comp_level, rd_slice_t *slice,
                                          void **outbuf, size_t *outlenp) {
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

/* ---- the mock cluster and the tests ---- */

rd_kafka_mock_cluster_t *rd_kafka_mock_cluster_new(rd_kafka_t *rk, int broker_cnt) { return NULL; }
void rd_kafka_mock_cluster_destroy(rd_kafka_mock_cluster_t *mcluster) {}
const char *rd_kafka_mock_cluster_bootstraps(const rd_kafka_mock_cluster_t *mcluster) { return NULL; }
rd_kafka_resp_err_t rd_kafka_mock_broker_set_rtt(rd_kafka_mock_cluster_t *mcluster, int32_t broker_id, int rtt_ms) {
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

rd_bool_t rd_unittest_assert_on_failure, rd_unittest_on_ci, rd_unittest_with_valgrind, rd_unittest_slow;
int rd_unittest(void) { return 0; }
