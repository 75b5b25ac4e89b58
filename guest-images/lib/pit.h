/* The 8254 timer and the 8259 interrupt controllers of every PC. */
#pragma once
#include <stdint.h>

#define PIT_HZ 1193182

/* Waits with the timer's third channel; nothing needs calibrating for it. At most 50 ms. */
void wait_microseconds(uint32_t microseconds);

/* Makes the first channel raise IRQ 0 this many times a second; at least 19. */
void pit_ticks(uint32_t per_second);

/* The same for a first channel that is in its mode already, as a BIOS leaves it. */
void pit_rate(uint32_t per_second);

/* Gives IRQ 0-15 the vectors from this one on, and masks them all but those in `enabled`. */
void pic_start(uint8_t first_vector, uint16_t enabled);

/* Tells the first PIC that its interrupt has been handled. */
void pic_end_of_interrupt(void);
