/* The few places where XRT's library wants to be called in C++. */
#ifndef SYSTOLE_SIM_XRT_GLUE_H
#define SYSTOLE_SIM_XRT_GLUE_H

#ifdef __cplusplus
extern "C" {
#endif

struct axlf;

/* Tells XRT of a handle, the first time that it is opened; its device object is kept in
 * *slot for good. 0, or -1 when XRT throws. */
int systole_glue_open(void **slot, void *handle, unsigned index);

/* Tells the device object which xclbin is loaded. 0 or a negative errno. */
int systole_glue_register(void *slot, const struct axlf *file);

#ifdef __cplusplus
}
#endif
#endif
