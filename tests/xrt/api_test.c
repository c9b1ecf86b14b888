/* The declarations of host/card/xrt/api.h against XRT's own headers: the same number and
 * kinds of parameters (an enum goes as an int, a handle as a pointer). */
#include "card/xrt/api.h"

#include <criterion/criterion.h>
#include <ert.h>
#include <stdio.h>
#include <string.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

_Static_assert((int)SYSTOLE_XRT_COMPLETED == (int)ERT_CMD_STATE_COMPLETED, "completed");
_Static_assert((int)SYSTOLE_XRT_ERROR == (int)ERT_CMD_STATE_ERROR, "error");
_Static_assert((int)SYSTOLE_XRT_ABORT == (int)ERT_CMD_STATE_ABORT, "abort");
_Static_assert((int)SYSTOLE_XRT_TIMEOUT == (int)ERT_CMD_STATE_TIMEOUT, "timeout");
_Static_assert((int)SYSTOLE_XRT_TO_DEVICE == (int)XCL_BO_SYNC_BO_TO_DEVICE, "to");
_Static_assert((int)SYSTOLE_XRT_FROM_DEVICE == (int)XCL_BO_SYNC_BO_FROM_DEVICE, "from");
_Static_assert(sizeof(enum ert_cmd_state) == sizeof(int), "states are ints");
_Static_assert(sizeof(enum xclBOSyncDirection) == sizeof(int), "directions are ints");
_Static_assert(sizeof(xrtDeviceHandle) == sizeof(void *), "handles are pointers");

#define SAME(name)                                                                       \
  _Static_assert(__builtin_types_compatible_p(__typeof__(&name),                         \
                                              __typeof__(((systole_xrt_api *)0)->name)), \
                 #name)
SAME(xrtDeviceOpen);
SAME(xrtDeviceOpenByBDF);
SAME(xrtDeviceClose);
SAME(xrtDeviceLoadXclbinFile);
SAME(xrtPLKernelOpenExclusive);
SAME(xrtKernelClose);
SAME(xrtKernelArgGroupId);
SAME(xrtKernelReadRegister);
SAME(xrtRunOpen);
SAME(xrtRunClose);
SAME(xrtRunSetArg);
SAME(xrtBOAlloc);
SAME(xrtBOSubAlloc);
SAME(xrtBOFree);
SAME(xrtBOMap);
SAME(xrtRunStart);
/* Those with an enum. */
_Static_assert(__builtin_types_compatible_p(__typeof__(&xrtRunWaitFor),
                                            enum ert_cmd_state (*)(void *, unsigned)),
               "xrtRunWaitFor");
_Static_assert(__builtin_types_compatible_p(__typeof__(&xrtRunState),
                                            enum ert_cmd_state (*)(void *)),
               "xrtRunState");
_Static_assert(__builtin_types_compatible_p(__typeof__(&xrtBOSync),
                                            int (*)(void *, enum xclBOSyncDirection,
                                                    size_t, size_t)),
               "xrtBOSync");
_Static_assert(sizeof(xrtBOAddress(NULL)) == sizeof(uint64_t), "xrtBOAddress");

/* What is looked up at run time is what the headers declare. */
Test(api, every_function_is_in_the_library) {
  systole_xrt_site site;
  systole_xrt_api api;
  memset(&site, 0, sizeof site);
  (void)snprintf(site.coreutil, sizeof site.coreutil, "libxrt_coreutil.so.2");
  cr_assert_eq(systole_xrt_load(&api, &site), SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_eq(strncmp(site.coreutil_version, "2.", 2), 0, "%s", site.coreutil_version);
#define IS_THERE(name, result, parameters) cr_expect_not_null(*(void **)&api.name);
  SYSTOLE_XRT_FUNCTIONS(IS_THERE)
}

Test(api, a_driver_of_another_version_is_refused) {
  systole_xrt_site site;
  systole_xrt_api api;
  memset(&site, 0, sizeof site);
  (void)snprintf(site.coreutil, sizeof site.coreutil, "libxrt_coreutil.so.2");
  (void)snprintf(site.driver_version, sizeof site.driver_version, "2.99.1");
  cr_expect_eq(systole_xrt_load(&api, &site), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_not_null(strstr(systole_last_error(), "2.99.1"), "%s", systole_last_error());
}
