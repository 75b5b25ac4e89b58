/* Output to the first serial port. */
#pragma once

/* printf's d, u, x, c, s and %, with -, 0, a width, l and ll. Text goes out at each end of a line. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
