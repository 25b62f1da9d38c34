/* kill_at N COMMAND...: runs COMMAND and kills it (SIGKILL) just before its N-th system call that changes the file system, so that a test can
 * stop a program at every point where a half-done change could be left behind, the same point each time. N = 0 only counts them (on stdout).
 * Exit: the command's own code when it ended first, 137 when it was killed, 77 when processes cannot be traced here.
 * Only the command's first thread is watched: it is the one that writes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h> /* after sys/ptrace.h: only for struct ptrace_syscall_info, which glibc names differently */

static int changes_files(unsigned long long number)
{
    static const long list[] = {SYS_write, SYS_pwrite64, SYS_writev, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_mkdirat, SYS_unlinkat, SYS_renameat2,
                                SYS_renameat, SYS_openat, SYS_flock,
#ifdef SYS_rename
                                SYS_rename, SYS_mkdir, SYS_unlink, SYS_open,
#endif
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if ((unsigned long long)list[i] == number) return 1;
    return 0;
}

static void become(char **command)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(77);
    execvp(command[0], command);
    _exit(127);
}

/* Is the stop an entry into a call that changes files? -1 when the kernel cannot say. */
static int stopped_at_change(pid_t pid)
{
    struct ptrace_syscall_info info = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0) return -1;
    return info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(info.entry.nr);
}

int main(int argc, char **argv)
{
    long wanted = argc > 2 ? strtol(argv[1], NULL, 10) : -1, count = 0;
    int status = 0, started = 0;
    if (wanted < 0) return 2;
    pid_t pid = fork();
    if (pid < 0) return 77;
    if (pid == 0) become(argv + 2);
    for (;;) {
        if (waitpid(pid, &status, __WALL) != pid) return errno == EINTR ? 1 : 77;
        if (WIFEXITED(status) || WIFSIGNALED(status)) break;
        int deliver = WSTOPSIG(status);
        if (!started) { /* the stop of execve */
            started = 1;
            deliver = 0;
            if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0) return 77;
        } else if (deliver == (SIGTRAP | 0x80)) {
            deliver = 0;
            int change = stopped_at_change(pid);
            if (change < 0) return 77;
            count += change;
            if (change && count == wanted) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, __WALL);
                return 137;
            }
        }
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)deliver);
    }
    if (wanted == 0) printf("%ld\n", count);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
