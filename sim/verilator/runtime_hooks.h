/* Force-included when Verilator's run-time library is compiled: its messages and its ways
 * to end the program become calls of functions in pins.cpp, which keep the text for a
 * status. Nothing is printed and nothing aborts. */
#ifndef SYSTOLE_RUNTIME_HOOKS_H
#define SYSTOLE_RUNTIME_HOOKS_H

#ifdef __cplusplus
extern "C"
#endif
    void
    systole_rtl_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define VL_PRINTF systole_rtl_print
#define VL_USER_FINISH
#define VL_USER_STOP
#define VL_USER_FATAL
#define VL_USER_WARN

#endif
