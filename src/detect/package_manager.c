#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "detect/parts.h"

#define HEAD_MAX 4096
#define VERSION_MAX 64

static const struct package_manager npm = {"npm", "npm run", "npx", "npm ci", "npm install"};
static const struct package_manager yarn = {"yarn", "yarn run", "yarn run", "yarn install --frozen-lockfile",
                                            "yarn install"};
/* Berry refuses to write a lockfile where CI is set, unless it is told that it may. */
static const struct package_manager berry = {"yarn-berry", "yarn run", "yarn run", "yarn install --immutable",
                                             "yarn install --no-immutable"};
static const struct package_manager pnpm = {"pnpm", "pnpm run", "pnpm exec", "pnpm install --frozen-lockfile",
                                            "pnpm install --no-frozen-lockfile"};
static const struct package_manager bun = {"bun", "bun run", "bunx", "bun install --frozen-lockfile", "bun install"};

/* Of several lockfiles the first in this order counts: npm's is the one that is most often left behind. */
static const struct lockfile {
    const char *name;
    const struct package_manager *manager; /* yarn: berry or not is told by its text */
} lockfiles[] = {
    {"pnpm-lock.yaml", &pnpm}, {"yarn.lock", &yarn},        {"bun.lock", &bun},
    {"bun.lockb", &bun},       {"package-lock.json", &npm}, {"npm-shrinkwrap.json", &npm},
};

static const struct package_manager *refine_yarn(const struct project *project, const char *folder)
{
    const struct package_manager *manager = &yarn;
    struct buf head;

    if (project_has(project, folder, ".yarnrc.yml"))
        return &berry;
    buf_init(&head, HEAD_MAX);
    if (project_read_head(project, folder, "yarn.lock", HEAD_MAX, &head) &&
        (view_starts((struct view){buf_text(&head), head.len}, "__metadata:") ||
         strstr(buf_text(&head), "\n__metadata:")))
        manager = &berry;
    buf_dispose(&head);
    return manager;
}

static bool is_version(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-", text[i]))
            return false;
    return len > 0 && len <= VERSION_MAX && text[0] >= '0' && text[0] <= '9';
}

/* packageManager, "pnpm@9.1.0+sha512.…" (Node's documentation, "Corepack"). NULL when it names none of ours. */
static const struct package_manager *from_field(const json_t *package, const char *label, struct detection *detection)
{
    static const struct package_manager *const managers[] = {&npm, &yarn, &pnpm, &bun};
    const char *text = json_string_value(json_object_get(package, "packageManager"));
    const struct package_manager *manager = NULL;
    const char *version;
    size_t len;
    size_t i;

    if (!text)
        return NULL;
    for (i = 0; i < ARRAY_LEN(managers); i++)
        if (strncmp(text, managers[i]->name, strlen(managers[i]->name)) == 0 &&
            strchr("@", text[strlen(managers[i]->name)]))
            manager = managers[i];
    if (!manager) {
        strings_addf(&detection->warnings, "%s, packageManager is none of npm, yarn, pnpm, bun and is ignored", label);
        return NULL;
    }
    version = text + strlen(manager->name);
    version += *version == '@';
    len = strcspn(version, "+");
    if (is_version(version, len)) {
        CLEANUP_FREE char *exact = xstrndup(version, len);

        conclude(&detection->package_manager_version, exact, "%s, packageManager", label);
        if (manager == &yarn && !(version[0] == '1' && version[1] == '.'))
            manager = &berry;
    }
    conclude(&detection->package_manager, manager->name, "%s, packageManager", label);
    return manager;
}

/* The lockfile that counts in a folder; warns of others beside it that a different manager wrote. */
static const struct lockfile *find_lockfile(const struct project *project, const char *folder,
                                            struct detection *detection)
{
    const struct lockfile *found = NULL;
    size_t i;

    for (i = 0; i < ARRAY_LEN(lockfiles); i++) {
        if (!project_has(project, folder, lockfiles[i].name))
            continue;
        if (!found)
            found = &lockfiles[i];
        else if (lockfiles[i].manager != found->manager)
            strings_addf(&detection->warnings, "%s lies beside %s: remove the one that is not kept up to date",
                         lockfiles[i].name, found->name);
    }
    return found;
}

static bool is_family(const struct package_manager *a, const struct package_manager *b)
{
    return strncmp(a->name, b->name, 4) == 0;
}

static bool has_members(const json_t *package, const char *key)
{
    return json_object_size(json_object_get(package, key)) > 0;
}

static bool needs_install(const struct project *project)
{
    static const char *const hooks[] = {"preinstall", "install", "postinstall", "prepare"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(hooks); i++)
        if (project_script(project, hooks[i]))
            return true;
    return has_members(project->package, "dependencies") || has_members(project->package, "devDependencies") ||
           has_members(project->package, "optionalDependencies") || json_object_get(project->package, "workspaces") ||
           strcmp(project->workspace, project->directory) != 0;
}

static void conclude_install(const struct project *project, const struct package_manager *manager,
                             const struct lockfile *lockfile, struct detection *detection)
{
    if (lockfile && is_family(lockfile->manager, manager)) {
        conclude(&detection->install, manager->frozen, "%s", lockfile->name);
        return;
    }
    if (!needs_install(project)) {
        conclude(&detection->install, NULL, "package.json, without dependencies");
        return;
    }
    conclude(&detection->install, manager->install, "no lockfile of %s", manager->name);
    if (lockfile)
        strings_addf(&detection->warnings, "%s is %s's, but packageManager says %s: it is not used", lockfile->name,
                     lockfile->manager->name, manager->name);
    else
        strings_addf(&detection->warnings,
                     "no lockfile: \"%s\" takes whatever versions are newest today; commit a lockfile",
                     manager->install);
}

const struct package_manager *conclude_package_manager(const struct project *project, struct detection *detection)
{
    bool member = strcmp(project->workspace, project->directory) != 0;
    const struct package_manager *manager;
    const struct lockfile *lockfile;
    const char *folder = project->directory;

    if (!project->package) {
        conclude(&detection->package_manager, "none", "no package.json");
        conclude(&detection->install, NULL, "no package.json");
        return NULL;
    }
    manager = from_field(project->package, "package.json", detection);
    if (!manager && member)
        manager = from_field(project->workspace_package, "the workspace's package.json", detection);
    lockfile = find_lockfile(project, folder, detection);
    if (!lockfile && member) {
        folder = project->workspace;
        lockfile = find_lockfile(project, folder, detection);
    }
    if (!manager && lockfile) {
        manager = lockfile->manager == &yarn ? refine_yarn(project, folder) : lockfile->manager;
        conclude(&detection->package_manager, manager->name, "%s", lockfile->name);
    }
    if (!manager) {
        manager = &npm;
        conclude(&detection->package_manager, manager->name, "default");
    }
    conclude_install(project, manager, lockfile, detection);
    return manager;
}
