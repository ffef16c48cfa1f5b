/* Names of ECR's registries, of its API, and of what policies are about. */
#include <stdio.h>
#include <string.h>

#include "aws/ecr_internal.h"
#include "core/mem.h"

#define ACCOUNT_LEN 12

/* How hosts go on after the account, and end after the region. */
static const struct {
    const char *middle, *end;
    bool fips, dual_stack, china;
} forms[] = {
    {".dkr.ecr.", ".amazonaws.com", false, false, false},
    {".dkr.ecr.", ".amazonaws.com.cn", false, false, true},
    {".dkr.ecr-fips.", ".amazonaws.com", true, false, false},
    {".dkr-ecr.", ".on.aws", false, true, false},
    {".dkr-ecr.", ".on.amazonwebservices.com.cn", false, true, true},
    {".dkr-ecr-fips.", ".on.aws", true, true, false},
};

bool ecr_host_parse(const char *host, struct ecr_host *parsed)
{
    size_t i;

    if (strspn(host, "0123456789") != ACCOUNT_LEN)
        return false;
    for (i = 0; i < ARRAY_LEN(forms); i++) {
        const char *region = host + ACCOUNT_LEN + strlen(forms[i].middle);
        size_t len;

        if (strncmp(host + ACCOUNT_LEN, forms[i].middle, strlen(forms[i].middle)) != 0)
            continue;
        len = strcspn(region, ".");
        if (strcmp(region + len, forms[i].end) != 0 || len >= sizeof parsed->region)
            continue;
        *parsed = (struct ecr_host){.fips = forms[i].fips, .dual_stack = forms[i].dual_stack, .china = forms[i].china};
        memcpy(parsed->account, host, ACCOUNT_LEN);
        memcpy(parsed->region, region, len);
        return json_service_region(parsed->region) &&
               (strcmp(json_service_partition(parsed->region), "aws-cn") == 0) == parsed->china;
    }
    return false;
}

void ecr_host_endpoint(const struct ecr_host *host, char endpoint[128])
{
    const char *end = host->dual_stack ? (host->china ? "api.amazonwebservices.com.cn" : "api.aws")
                      : host->china    ? "amazonaws.com.cn"
                                       : "amazonaws.com";
    const char *service = host->fips ? "ecr-fips" : host->dual_stack ? "ecr" : "api.ecr";

    snprintf(endpoint, 128, "https://%s.%s.%s", service, host->region, end);
}

void ecr_arn(const struct ecr *ecr, const char *repository, char arn[ECR_ARN_SIZE])
{
    if (repository)
        snprintf(arn, ECR_ARN_SIZE, "arn:%s:ecr:%s:%s:repository/%.256s", json_service_partition(ecr->region),
                 ecr->region, *ecr->account ? ecr->account : "*", repository);
    else
        snprintf(arn, ECR_ARN_SIZE, "*");
}
