"""A seccomp profile that refuses what a container with Docker's default profile and capabilities may not call.

Docker's is a list of what is allowed; with the fixed set of capabilities of our containers the same is said more
shortly by what is not. Source: Docker documentation, "Seccomp security profiles for Docker".
"""

EPERM, ENOSYS = 1, 38

REFUSED = """
    acct add_key bpf clock_adjtime clock_settime create_module delete_module fanotify_init finit_module fsconfig
    fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup
    ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr
    move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root
    process_madvise query_module quotactl quotactl_fd reboot request_key set_mempolicy setdomainname sethostname setns
    settimeofday swapoff swapon syslog sysfs umount2 unshare uselib userfaultfd ustat vhangup
""".split()

# What a kernel of some years ago does not have, as a Fargate host may run one: refuse_calls of a container.
OLDER_KERNEL = """
    clone3 close_range landlock_add_rule landlock_create_ruleset landlock_restrict_self openat2 pidfd_getfd pidfd_open
    pidfd_send_signal
""".split()

CLONE_NEW_FLAGS = 0x7E020000  # NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
AF_ALG, AF_VSOCK = 38, 40


def _rule(names, errno, *arguments):
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(arguments)}


def profile(also_refused=(), like_docker=True):
    """The `linux.seccomp` object of an OCI configuration. `also_refused` names calls that answer ENOSYS. Without
    like_docker nothing else is refused, as where containers are started with an unconfined profile."""
    if not like_docker:
        return {"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [_rule(sorted(also_refused), ENOSYS)] if also_refused else []}
    # One rule a flag: a masked comparison tests for equality, and any of the flags is enough.
    flags = [1 << bit for bit in range(32) if CLONE_NEW_FLAGS >> bit & 1]
    missing = sorted({"clone3", *also_refused})
    rules = [_rule([name for name in REFUSED if name not in missing], EPERM), _rule(missing, ENOSYS)]
    for flag in flags:
        rules.append(_rule(["clone"], EPERM, {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}))
    for family in (AF_ALG, AF_VSOCK):
        rules.append(_rule(["socket"], EPERM, {"index": 0, "value": family, "op": "SCMP_CMP_EQ"}))
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
