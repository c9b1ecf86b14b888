/* PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP and dlinfo are GNU extensions. */
#define _GNU_SOURCE
#include "card/xrt/api.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/error.h"

#define COREUTIL "libxrt_coreutil.so.2"

/* One for the process, as XRT's tables are. Writers first: waiting for a run takes the
 * lock again and again. */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void systole_xrt_enter(int alone) {
  if (alone) {
    pthread_rwlock_wrlock(&gate);
  } else {
    pthread_rwlock_rdlock(&gate);
  }
}

void systole_xrt_leave(void) { pthread_rwlock_unlock(&gate); }

/* ---- where it is ---------------------------------------------------------------------
 */

static int is_file(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* "2.13.0" of ".../libxrt_core.so.2.13.0", through links; "" when the name ends
 * otherwise.
 */
static void version_of(char *out, size_t room, const char *path) {
  char real[PATH_MAX];
  out[0] = '\0';
  if (!realpath(path, real)) return;
  const char *at = strstr(strrchr(real, '/') ? strrchr(real, '/') : real, ".so.");
  if (at && strchr(at + strlen(".so."), '.')) {
    (void)snprintf(out, room, "%s", at + strlen(".so."));
  }
}

/* What XRT adds to "lib" for its driver (core/common/module_loader.cpp); NULL: XRT throws
 * where nobody catches. */
static const char *driver_name(void) {
  const char *mode = getenv("XCL_EMULATION_MODE");
  if (!mode) return "xrt_core";
  if (strcmp(mode, "hw_emu") == 0) return "xrt_hwemu";
  if (strcmp(mode, "sw_emu") == 0) return "xrt_swemu";
  return strcmp(mode, "noop") == 0 ? "xrt_noop" : NULL;
}

systole_status systole_xrt_find(systole_xrt_site *out) {
  const char *root = getenv("XILINX_XRT"), *name = driver_name();
  struct stat info;
  memset(out, 0, sizeof *out);
  if (!root || !*root) {
    return systole_fail(
        SYSTOLE_ERR_NOT_FOUND,
        "XILINX_XRT is not set, so XRT cannot find its driver. For a card: source "
        "/opt/xilinx/xrt/setup.sh; for the simulated card: "
        "XILINX_XRT=build/release/xrt-sim");
  }
  if (!name) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XCL_EMULATION_MODE is \"%s\", which XRT does not know; unset it",
                        getenv("XCL_EMULATION_MODE"));
  }
  if (stat(root, &info) != 0 || !S_ISDIR(info.st_mode)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XILINX_XRT is %s, and that is no folder (%s); set it to XRT's "
                        "folder, e.g. /opt/xilinx/xrt or build/release/xrt-sim",
                        root, errno ? strerror(errno) : "a file");
  }
  const int length = snprintf(out->root, sizeof out->root, "%s", root);
  if (length < 0 || (size_t)length >= sizeof out->root) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "XILINX_XRT is too long (%d bytes)",
                        length);
  }
  (void)snprintf(out->driver, sizeof out->driver, "%s/lib/lib%s.so.2", root, name);
  if (!is_file(out->driver)) {
    return systole_fail(
        SYSTOLE_ERR_NOT_FOUND,
        "XILINX_XRT is %s, which has no lib/lib%s.so.2. Set it to XRT's folder; on "
        "Debian, make one: mkdir -p xrt/lib && ln -s "
        "/usr/lib/x86_64-linux-gnu/lib%s.so.2 xrt/lib/",
        root, name, name);
  }
  (void)snprintf(out->coreutil, sizeof out->coreutil, "%s/lib/" COREUTIL, root);
  if (!is_file(out->coreutil)) {
    (void)snprintf(out->coreutil, sizeof out->coreutil, COREUTIL);
  } else {
    version_of(out->coreutil_version, sizeof out->coreutil_version, out->coreutil);
  }
  version_of(out->driver_version, sizeof out->driver_version, out->driver);
  return SYSTOLE_OK;
}

/* ---- loading -------------------------------------------------------------------------
 */

int systole_xrt_is_live(const systole_xrt_site *site) {
  void *coreutil = dlopen(site->coreutil, RTLD_LAZY | RTLD_NOLOAD);
  void *driver = coreutil ? dlopen(site->driver, RTLD_LAZY | RTLD_NOLOAD) : NULL;
  const int live = driver && dlsym(driver, "xclOpen");
  if (driver) (void)dlclose(driver);
  if (coreutil) (void)dlclose(coreutil);
  return live;
}

/* 1 when both say what they are, and not the same. */
static int differ(const char *a, const char *b) {
  int a_major = 0, a_minor = 0, b_major = 0, b_minor = 0;
  return sscanf(a, "%d.%d", &a_major, &a_minor) == 2 &&
         sscanf(b, "%d.%d", &b_major, &b_minor) == 2 &&
         (a_major != b_major || a_minor != b_minor);
}

/* Lets registers of a unit be read that is not opened exclusively, as OpenCL opens it.
 * XRT takes settings before it has looked at them only. */
static void allow_shared_reads(void *library) {
  int (*set)(const char *key, const char *value) = NULL;
  *(void **)&set = dlsym(library, "xrtIniStringSet");
  if (set) (void)set("Runtime.rw_shared", "true");
}

systole_status systole_xrt_load(systole_xrt_api *out, systole_xrt_site *site) {
  const int live = systole_xrt_is_live(site);
  memset(out, 0, sizeof *out);
  /* It stays: its threads and destructors must not disappear before the process ends. */
  void *library = dlopen(site->coreutil, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *reason = dlerror();
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XRT's library cannot be loaded: %s. Install it with: apt-get "
                        "install libxrt1 (Debian), or AMD's xrt package for a card",
                        reason ? reason : site->coreutil);
  }
  if (!live) allow_shared_reads(library);
  const char *missing = NULL;
  /* POSIX defines this conversion, ISO C does not. */
#define SYSTOLE_XRT_LOOK_UP(name, result, parameters) \
  *(void **)&out->name = dlsym(library, #name);       \
  if (!out->name && !missing) missing = #name;
  SYSTOLE_XRT_FUNCTIONS(SYSTOLE_XRT_LOOK_UP)
#undef SYSTOLE_XRT_LOOK_UP
  if (missing) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "%s has no function %s; Systole needs XRT 2.13 or newer",
                        site->coreutil, missing);
  }
  Dl_info info;
  if (dladdr(*(void **)&out->xrtDeviceOpen, &info) && info.dli_fname) {
    (void)snprintf(site->coreutil, sizeof site->coreutil, "%s", info.dli_fname);
    version_of(site->coreutil_version, sizeof site->coreutil_version, info.dli_fname);
  }
  if (differ(site->driver_version, site->coreutil_version)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "%s is of XRT %s and %s of %s; set XILINX_XRT to a folder whose "
                        "libraries belong together",
                        site->driver, site->driver_version, site->coreutil,
                        site->coreutil_version);
  }
  return SYSTOLE_OK;
}
