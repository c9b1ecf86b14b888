/* XRT's C functions, looked up when they are first needed, so that one program works with
 * and without XRT. The declarations are those of xrt_device.h, xrt_bo.h and xrt_kernel.h,
 * which are the same from XRT 2.13 to 2.25; a test holds them against the headers where
 * these are installed.
 *
 * XRT's own tables of devices and kernels are not protected: opening and closing must not
 * meet any other call. systole_xrt_enter and _leave see to that.
 */
#ifndef SYSTOLE_CARD_XRT_API_H
#define SYSTOLE_CARD_XRT_API_H

#include <stddef.h>
#include <stdint.h>

#include "systole/systole.h"

/* States of a run (enum ert_cmd_state of ert.h). */
enum {
  SYSTOLE_XRT_COMPLETED = 4,
  SYSTOLE_XRT_ERROR = 5,
  SYSTOLE_XRT_ABORT = 6,
  SYSTOLE_XRT_TIMEOUT = 8
};
/* Directions of a copy (enum xclBOSyncDirection of xrt.h). */
enum { SYSTOLE_XRT_TO_DEVICE = 0, SYSTOLE_XRT_FROM_DEVICE = 1 };

/* name, result, parameters. XRT's handles are void pointers; states, directions and flags
 * are ints. */
#define SYSTOLE_XRT_FUNCTIONS(X)                                                      \
  X(xrtDeviceOpen, void *, (unsigned index))                                          \
  X(xrtDeviceOpenByBDF, void *, (const char *address))                                \
  X(xrtDeviceClose, int, (void *device))                                              \
  X(xrtDeviceLoadXclbinFile, int, (void *device, const char *path))                   \
  X(xrtPLKernelOpenExclusive, void *,                                                 \
    (void *device, const unsigned char *uuid, const char *name))                      \
  X(xrtPLKernelOpen, void *,                                                          \
    (void *device, const unsigned char *uuid, const char *name))                      \
  X(xrtKernelClose, int, (void *kernel))                                              \
  X(xrtKernelArgGroupId, int, (void *kernel, int argument))                           \
  X(xrtKernelReadRegister, int, (void *kernel, uint32_t offset, uint32_t *value))     \
  X(xrtRunOpen, void *, (void *kernel))                                               \
  X(xrtRunClose, int, (void *run))                                                    \
  X(xrtRunSetArg, int, (void *run, int index, ...))                                   \
  X(xrtRunStart, int, (void *run))                                                    \
  X(xrtRunWaitFor, int, (void *run, unsigned milliseconds))                           \
  X(xrtRunState, int, (void *run))                                                    \
  X(xrtBOAlloc, void *, (void *device, size_t bytes, uint64_t flags, uint32_t group)) \
  X(xrtBOSubAlloc, void *, (void *parent, size_t bytes, size_t offset))               \
  X(xrtBOFree, int, (void *buffer))                                                   \
  X(xrtBOAddress, uint64_t, (void *buffer))                                           \
  X(xrtBOMap, void *, (void *buffer))                                                 \
  X(xrtBOSync, int, (void *buffer, int direction, size_t bytes, size_t offset))

typedef struct systole_xrt_api {
#define SYSTOLE_XRT_MEMBER(name, result, parameters) result(*name) parameters;
  SYSTOLE_XRT_FUNCTIONS(SYSTOLE_XRT_MEMBER)
#undef SYSTOLE_XRT_MEMBER
} systole_xrt_api;

/* Where XRT's parts are, by environment and files alone; nothing is loaded. */
typedef struct systole_xrt_site {
  char root[1024];     /* XILINX_XRT */
  char driver[1100];   /* its lib/libxrt_core.so.2, or what the emulation mode says */
  char coreutil[1100]; /* libxrt_coreutil.so.2: in the same folder, else a bare name */
  char driver_version[32]; /* "2.13.0", from the names of files; "" when these do not say
                            */
  char coreutil_version[32];
} systole_xrt_site;

/* SYSTOLE_ERR_NOT_FOUND, with what to do, when XRT could only abort. */
systole_status systole_xrt_find(systole_xrt_site *out);

/* Loads libxrt_coreutil (not yet its driver, which XRT does when a device is opened), and
 * says in *site what was loaded. SYSTOLE_ERR_NOT_FOUND: it is not there, or of another
 * version than the driver. */
systole_status systole_xrt_load(systole_xrt_api *out, systole_xrt_site *site);

/* 1 when XRT and the driver of this site are already loaded into this process, so that
 * XRT's loading cannot fail any more. */
int systole_xrt_is_live(const systole_xrt_site *site);

/* Around every call of XRT's: `alone` 1 for those that open or close. */
void systole_xrt_enter(int alone);
void systole_xrt_leave(void);

#endif
