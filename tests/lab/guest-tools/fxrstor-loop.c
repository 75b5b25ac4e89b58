/*
 * fxrstor-loop: loads the FPU's state again and again until it is killed. On the lab's second processor, while the first
 * enters and leaves guests, it brings out within seconds what ../qemu-repair.c mends.
 */
int main(void)
{
	static char state[512] __attribute__((aligned(16)));
	__asm__ volatile("fxsave %0" : "=m"(state));
	for (;;)
		__asm__ volatile("fxrstor %0" : : "m"(state));
}
