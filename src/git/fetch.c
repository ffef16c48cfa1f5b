#include "git/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "git/fetch_error.h"
#include "git/local.h"
#include "git/refs.h"

#define SCRATCH_REF "refs/caisson/fetched" /* a refspec wants a name; none is ever written */

/* How far back we look for a commit that the server does not give out by its id. */
static const int depths[] = {50, 500, 5000};

void fetched_dispose(struct fetched *fetched)
{
    free(fetched->ref);
    *fetched = (struct fetched){.ref = NULL};
}

/* The commit behind what was fetched: itself, or what an annotated tag names. */
static int peel(const struct remote *remote, git_repository *repository, const git_oid *id, struct fetched *fetched,
                struct error *err)
{
    git_object *object = NULL;
    git_object *commit = NULL;
    int result = 0;

    if (git_object_lookup(&object, repository, id, GIT_OBJECT_ANY)) {
        result = fetch_error(remote, err);
    } else if (git_object_peel(&commit, object, GIT_OBJECT_COMMIT)) {
        error_set(err, CLASS_REF_NOT_FOUND, "not-a-commit", "%s of %s names no commit",
                  fetched->ref ? fetched->ref : "what source.commit names", remote->shown);
        result = error_hint(err, "name a branch, a tag of a commit, or a commit");
    } else {
        git_oid_cpy(&fetched->commit, git_object_id(commit));
        if (git_object_type(object) == GIT_OBJECT_TAG)
            git_oid_cpy(&fetched->tag, id);
    }
    git_object_free(commit);
    git_object_free(object);
    return result;
}

static int fetch_ref(struct remote *remote, git_repository *repository, struct fetched *fetched, struct error *err)
{
    CLEANUP_FREE char *refspec = NULL;
    git_oid id;

    if (refs_resolve(remote->heads, remote->head_count, remote->request->ref, remote->shown, &fetched->ref, &id, err))
        return -1;
    refspec = xasprintf("+%s:%s", fetched->ref, SCRATCH_REF);
    if (remote->local ? local_copy(remote, repository, &id, err) : remote_fetch(remote, refspec, 1))
        return remote->local ? -1 : fetch_error(remote, err);
    return peel(remote, repository, &id, fetched, err);
}

static bool has_commit(git_repository *repository, const git_oid *id)
{
    git_object *object;
    bool found = git_object_lookup(&object, repository, id, GIT_OBJECT_ANY) == 0;

    if (found)
        git_object_free(object);
    return found;
}

static int commit_not_found(const struct remote *remote, bool by_depth, struct error *err)
{
    const char *ref = remote->request->ref;

    error_set(err, CLASS_REF_NOT_FOUND, "commit-not-found", "no commit %s in %s", remote->request->commit,
              remote->shown);
    if (!by_depth)
        return error_hint(err, "check source.commit: it may have been force-pushed away, or be another repository's");
    return error_hint(err,
                      "the server gives no commit by its id, and it is not among the last %d of %s: set source.ref to "
                      "the branch that holds it, or uploadpack.allowAnySHA1InWant on the server",
                      depths[ARRAY_LEN(depths) - 1], ref ? ref : "any branch");
}

static bool says(const char *const *parts, size_t count)
{
    const git_error *last = git_error_last();
    const char *text = last && last->message ? last->message : "";
    size_t i;

    for (i = 0; i < count; i++)
        if (strstr(text, parts[i]))
            return true;
    return false;
}

/* Not the transport's failure but the server's "no": older servers end the answer, newer ones send an ERR line, which
 * libgit2 calls an unexpected packet. */
static bool is_refusal(const struct remote *remote)
{
    static const char *const parts[] = {"unexpected packet", "unexpected pkt", "not our ref", "early EOF",
                                        "could not read from remote"};

    return remote->refusal == CREDENTIAL_FINE && !remote->too_large && says(parts, ARRAY_LEN(parts));
}

/* The server does not even advertise that ids may be asked for. */
static bool serves_no_ids(void)
{
    static const char *const parts[] = {"cannot fetch a specific object"};

    return says(parts, ARRAY_LEN(parts));
}

/* Deeper and deeper along the named ref, or along every branch. */
static int fetch_by_depth(struct remote *remote, git_repository *repository, const git_oid *id, struct error *err)
{
    CLEANUP_FREE char *refspec = NULL;
    CLEANUP_FREE char *full = NULL;
    git_oid tip;
    size_t i;

    if (remote->request->ref) {
        if (refs_resolve(remote->heads, remote->head_count, remote->request->ref, remote->shown, &full, &tip, err))
            return -1;
        refspec = xasprintf("+%s:%s", full, SCRATCH_REF);
    } else {
        refspec = xstrdup("+refs/heads/*:refs/caisson/*");
    }
    for (i = 0; i < ARRAY_LEN(depths); i++) {
        if (remote_fetch(remote, refspec, depths[i]))
            return fetch_error(remote, err);
        if (has_commit(repository, id))
            return 0;
    }
    return commit_not_found(remote, true, err);
}

static int fetch_id(struct remote *remote, git_repository *repository, const git_oid *id, struct error *err)
{
    const char *ref = refs_pointing_to(remote->heads, remote->head_count, id);
    CLEANUP_FREE char *refspec = xasprintf("+%s:%s", ref ? ref : remote->request->commit, SCRATCH_REF);

    if (remote_fetch(remote, refspec, 1) == 0 && has_commit(repository, id))
        return 0;
    if (!ref && serves_no_ids())
        return fetch_by_depth(remote, repository, id, err);
    if (!ref && is_refusal(remote))
        return commit_not_found(remote, false, err);
    return fetch_error(remote, err);
}

int fetch_commit(struct remote *remote, git_repository *repository, struct fetched *fetched, struct error *err)
{
    const char *commit = remote->request->commit;
    git_oid id;

    *fetched = (struct fetched){.ref = NULL};
    if (!commit)
        return fetch_ref(remote, repository, fetched, err);
    if (strlen(commit) != GIT_OID_SHA1_HEXSIZE || git_oid_fromstr(&id, commit)) {
        error_set(err, CLASS_REF_NOT_FOUND, "bad-commit", "source.commit: \"%.80s\" is not a full commit id", commit);
        return error_hint(err, "write all 40 hexadecimal digits; a branch or tag goes into source.ref");
    }
    if (remote->local ? local_copy(remote, repository, &id, err) : fetch_id(remote, repository, &id, err))
        return -1;
    return peel(remote, repository, &id, fetched, err);
}
