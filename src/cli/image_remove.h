/* Images of a registry that knows nothing but the distribution specification, removed without touching any other. */
#ifndef CAISSON_CLI_IMAGE_REMOVE_H
#define CAISSON_CLI_IMAGE_REMOVE_H

#include "aws/ecr.h"
#include "oci/registry.h"

/* As ecr_images_remove does it. There a manifest is removed by its digest, which takes all of its tags: a tag whose image
 * has other tags, not named, is untagged where the registry can do that, and fails otherwise. */
int image_remove(struct registry *registry, const char *name, const struct strings *images, struct ecr_removal *removal,
                 struct error *err);

#endif
