/* systole-xrt-probe: tries XRT in a process of its own, which may abort.
 *
 *   systole-xrt-probe                     counts the cards
 *   systole-xrt-probe FILE:card=..:cu=..  and opens one
 *
 * Standard output has lines `coreutil FILE VERSION`, `simulated VERSION`, `cards N`, and
 * last `good` or `bad STATUS SENTENCE`. Called by the library (probe.c). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "card/xrt/probe.h"
#include "card/xrt/session.h"
#include "support/error.h"

static void tell_driver(const systole_xrt_site *site) {
  /* XRT has loaded it; only the simulated card's has this. */
  void *driver = dlopen(site->driver, RTLD_LAZY | RTLD_NOLOAD);
  const char *version = driver ? dlsym(driver, "systole_xrt_shim_version") : NULL;
  if (version) (void)printf("simulated %s\n", version);
  (void)fflush(stdout);
}

static systole_status count(systole_xrt_site *site) {
  systole_xrt_api api;
  int cards = 0;
  systole_status status = systole_xrt_load(&api, site);
  if (status != SYSTOLE_OK) return status;
  (void)printf("coreutil %s %s\n", site->coreutil, site->coreutil_version);
  (void)fflush(stdout);
  for (void *device; cards < SYSTOLE_XRT_MOST_CARDS; cards++) {
    device = api.xrtDeviceOpen((unsigned)cards);
    if (cards == 0) tell_driver(site);
    if (!device) break;
    (void)api.xrtDeviceClose(device);
  }
  (void)printf("cards %d\n", cards);
  (void)fflush(stdout);
  return cards > 0 ? SYSTOLE_OK
                   : systole_fail(SYSTOLE_ERR_NOT_FOUND,
                                  "XRT works and finds no card; xbutil examine says what "
                                  "it sees, and lspci -d 10ee: what is plugged in");
}

static systole_status try_open(systole_xrt_site *site, const char *what) {
  systole_xrt_name name;
  systole_xclbin *xclbin = NULL;
  systole_xrt_session session;
  uint32_t identity = 0;
  (void)fprintf(stderr, "\n%s\n", SYSTOLE_XRT_PROBE_MARK);
  systole_status status = systole_xrt_name_parse(&name, what);
  if (status == SYSTOLE_OK) status = systole_xclbin_read(&xclbin, name.file);
  if (status == SYSTOLE_OK) {
    status = systole_xrt_session_open(&session, site, &name, xclbin, 0);
    if (status == SYSTOLE_OK) {
      status = systole_xrt_session_read(&session, SYSTOLE_REG_IDENTITY, &identity);
      systole_xrt_session_close(&session);
    }
  }
  systole_xclbin_free(xclbin);
  if (status == SYSTOLE_OK && identity != SYSTOLE_IDENTITY_VALUE) {
    status =
        systole_fail(SYSTOLE_ERR_DEVICE,
                     "the kernel's identity register reads 0x%08x instead of 0x%08x: "
                     "the card runs something else",
                     identity, SYSTOLE_IDENTITY_VALUE);
  }
  return status;
}

int main(int argc, char **argv) {
  systole_xrt_site site;
  systole_status status = systole_xrt_find(&site);
  if (status == SYSTOLE_OK) status = count(&site);
  if (status == SYSTOLE_OK && argc > 1) status = try_open(&site, argv[1]);
  if (status == SYSTOLE_OK) {
    (void)puts("good");
  } else {
    (void)printf("bad %d %s\n", (int)status, systole_last_error());
  }
  (void)fflush(stdout);
  /* What XRT's destructors may do is of no interest here. */
  _Exit(status == SYSTOLE_OK ? 0 : 1);
}
