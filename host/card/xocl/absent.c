/* The card `xocl` of a build without OpenCL's headers: it says so. */
#include "card/card.h"
#include "support/error.h"

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  (void)add;
  (void)user;
}

static systole_status absent(systole_card **out, const char *what,
                             const systole_device_options *options) {
  (void)options;
  *out = NULL;
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "xocl:%s: this build has no OpenCL; install opencl-c-headers and "
                      "build again, or use xrt:%s",
                      what, what);
}

const systole_card_ops systole_card_xocl = {
    .version = SYSTOLE_CARD_VERSION, .scheme = "xocl", .list = list, .open = absent};
