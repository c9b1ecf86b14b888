#include "card/xrt/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "card/systole_kernel.h"
#include "support/error.h"

/* XRT explains itself in errno, when it does. */
static const char *reason(void) {
  return errno ? strerror(errno) : "XRT says why on standard error alone";
}

/* What this process has open, so that a free unit is found without asking XRT, which
 * would complain aloud. Changed with the gate shut (systole_xrt_enter(1)). */
static systole_xrt_session *opened;

static int is_ours(const systole_xrt_session *s, int unit) {
  for (const systole_xrt_session *o = opened; o; o = o->next) {
    if (o->unit == unit && strcmp(o->card, s->card) == 0 &&
        memcmp(o->xclbin->uuid, s->xclbin->uuid, sizeof o->xclbin->uuid) == 0) {
      return 1;
    }
  }
  return 0;
}

static systole_status open_unit(systole_xrt_session *s, int unit) {
  const char *called = s->xclbin->units[unit].name;
  char name[160];
  if (is_ours(s, unit)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "compute unit %s of card %s is already open in this process",
                        called, s->card);
  }
  (void)snprintf(name, sizeof name, "%s:{%s}", SYSTOLE_KERNEL_NAME, called);
  errno = 0;
  s->kernel = (s->shared ? s->api.xrtPLKernelOpen : s->api.xrtPLKernelOpenExclusive)(
      s->device, s->xclbin->uuid, name);
  if (!s->kernel) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "compute unit %s of card %s cannot be opened, perhaps because "
                        "another process uses it: %s",
                        called, s->card, reason());
  }
  s->unit = unit;
  s->next = opened;
  opened = s;
  return SYSTOLE_OK;
}

static void close_unit(systole_xrt_session *s) {
  systole_xrt_session **at = &opened;
  if (s->kernel) (void)s->api.xrtKernelClose(s->kernel);
  s->kernel = NULL;
  while (*at && *at != s) at = &(*at)->next;
  if (*at) *at = s->next;
  s->next = NULL;
}

static systole_status open_any_unit(systole_xrt_session *s) {
  systole_status status = SYSTOLE_OK;
  for (size_t i = 0; i < s->xclbin->unit_count && !s->kernel; i++) {
    if (strcmp(s->xclbin->units[i].kernel, SYSTOLE_KERNEL_NAME) != 0) continue;
    status = open_unit(s, (int)i);
  }
  if (!s->kernel && s->xclbin->unit_count > 1) {
    systole_fail_in(status, "none of the %zu compute units can be had",
                    s->xclbin->unit_count);
  }
  return status;
}

static systole_status open_card(systole_xrt_session *s, const systole_xrt_name *name) {
  errno = 0;
  s->device = name->index >= 0 ? s->api.xrtDeviceOpen((unsigned)name->index)
                               : s->api.xrtDeviceOpenByBDF(name->card);
  if (!s->device) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "XRT cannot open card %s (%s); xbutil examine shows the cards "
                        "that are there",
                        name->card, reason());
  }
  errno = 0;
  const int error = s->api.xrtDeviceLoadXclbinFile(s->device, name->file);
  if (error != 0) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "card %s does not take %s (%s)",
                        name->card, name->file, reason());
  }
  return SYSTOLE_OK;
}

systole_status systole_xrt_session_open(systole_xrt_session *out, systole_xrt_site *site,
                                        const systole_xrt_name *name,
                                        const systole_xclbin *xclbin, int shared) {
  memset(out, 0, sizeof *out);
  out->unit = -1;
  out->shared = shared;
  out->xclbin = xclbin;
  (void)snprintf(out->card, sizeof out->card, "%s", name->card);
  int unit = -1;
  if (name->unit[0]) {
    unit = systole_xclbin_find_unit(xclbin, name->unit);
    if (unit < 0 || strcmp(xclbin->units[unit].kernel, SYSTOLE_KERNEL_NAME) != 0) {
      char units[256] = "";
      for (size_t i = 0; i < xclbin->unit_count; i++) {
        const size_t used = strlen(units);
        (void)snprintf(units + used, sizeof units - used, "%s%s", i ? ", " : "",
                       xclbin->units[i].name);
      }
      return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s has no compute unit %s; it has %s",
                          name->file, name->unit, units);
    }
  }
  systole_xrt_enter(1);
  systole_status status = systole_xrt_load(&out->api, site);
  if (status == SYSTOLE_OK) status = open_card(out, name);
  if (status == SYSTOLE_OK) {
    status = unit >= 0 ? open_unit(out, unit) : open_any_unit(out);
  }
  systole_xrt_leave();
  if (status != SYSTOLE_OK) systole_xrt_session_close(out);
  return status;
}

systole_status systole_xrt_session_reopen(systole_xrt_session *s) {
  const int unit = s->unit;
  systole_xrt_enter(1);
  close_unit(s);
  const systole_status status = open_unit(s, unit);
  systole_xrt_leave();
  return status;
}

void systole_xrt_session_close(systole_xrt_session *s) {
  systole_xrt_enter(1);
  close_unit(s);
  if (s->device) (void)s->api.xrtDeviceClose(s->device);
  s->device = NULL;
  systole_xrt_leave();
}

systole_status systole_xrt_session_read(const systole_xrt_session *s, uint32_t offset,
                                        uint32_t *value) {
  *value = 0;
  if (!s->kernel) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "the compute unit is closed");
  }
  systole_xrt_enter(0);
  errno = 0;
  const int error = s->api.xrtKernelReadRegister(s->kernel, offset, value);
  systole_xrt_leave();
  return error == 0 ? SYSTOLE_OK
                    : systole_fail(SYSTOLE_ERR_DEVICE,
                                   "register 0x%03x cannot be read through XRT: %s",
                                   offset, reason());
}
