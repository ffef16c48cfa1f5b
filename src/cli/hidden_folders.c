#include "cli/hidden_folders.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

/* In a container: the task's secrets and the operator's word. */
static const char *const of_container[] = {"/run/secrets", "/var/run/secrets", "/etc/caisson"};
/* Elsewhere we are on someone's machine: everything that people keep. */
static const char *const of_people[] = {"/home", "/root", "/Users", "/run/secrets", "/etc/caisson"};

static void add(struct strings *folders, const char *path)
{
    CLEANUP_FREE char *real = path && path[0] == '/' ? realpath(path, NULL) : NULL;

    if (real && strcmp(real, "/") != 0 && !strings_has(folders, real))
        strings_add(folders, real);
}

void hidden_folders_of_container(struct strings *folders)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(of_container); i++)
        add(folders, of_container[i]);
}

void hidden_folders(const struct setup *setup, struct strings *folders)
{
    const struct passwd *user;
    size_t i;

    if (setup->has_operator_file)
        for (i = 0; i < setup->operator_file.secret_folders.len; i++)
            add(folders, setup->operator_file.secret_folders.items[i]);
    if (setup->pid1) {
        hidden_folders_of_container(folders);
        return;
    }
    for (i = 0; i < ARRAY_LEN(of_people); i++)
        add(folders, of_people[i]);
    user = getpwuid(getuid());
    if (user)
        add(folders, user->pw_dir);
    add(folders, env_get(&setup->env, "HOME"));
}
