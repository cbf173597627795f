/* stamp.c: the interpreter of the benchmark's script; its first instruction is what is timed.
 *
 * `#!/path/stamp FIFO` as a script's first line makes the kernel run this with the FIFO's path first. It
 * writes the time of day in nanoseconds there and ends, so that the bridge and webhook run the very same
 * thing. Not installed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec now;
	char line[32];

	clock_gettime(CLOCK_REALTIME, &now);
	int fd = argc > 1 ? open(argv[1], O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	if (fd < 0)
		return 1;
	int n = snprintf(line, sizeof(line), "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	return write(fd, line, (size_t)n) == n ? 0 : 1;
}
