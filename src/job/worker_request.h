/*
 * What requests to children that hold credentials have in common: the workspace, as the folder that we made and no other
 * that lies at its path by now, and the ways to servers.
 */
#ifndef CAISSON_JOB_WORKER_REQUEST_H
#define CAISSON_JOB_WORKER_REQUEST_H

#include "job/job.h"

/* Keys "workspace", "device", "inode". */
void worker_request_put_workspace(json_t *request, const struct job *job);
/* Its descriptor. CLASS_OUTPUT_REFUSED "workspace-replaced". */
int worker_request_open_workspace(const json_t *request, struct error *err);

/* Keys "ca_bundle", "proxy", "http_proxy", "no_proxy", "credentials". */
void worker_request_put_network(json_t *request, const struct platform *platform);
/* Borrows from the request. */
struct http_options worker_request_http(const json_t *request);

#endif
