/* What a kernel call through XRT costs beyond the simulation of its cycles: the same
 * program of one END on the card `rtl` (no XRT) and on the card `xrt`, in turns.
 *
 * Usage: call_cost DIM FILE.xclbin [CALLS]; prints one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card.h"
#include "card/systole_isa.h"
#include "support/clock.h"

enum { kMostCalls = 1000000 };

static const uint8_t kEnd[SYSTOLE_INSTRUCTION_BYTES] = {SYSTOLE_ISA_VERSION,
                                                        SYSTOLE_OP_END};

typedef struct device {
  const systole_card_ops *ops;
  systole_card *card;
  systole_launch launch;
} device;

static systole_status prepare(device *d, const systole_card_ops *ops, const char *what) {
  *d = (device){ops, NULL, {0, 0, 0, 1}};
  systole_status status = ops->open(&d->card, what, NULL);
  if (status == SYSTOLE_OK)
    status = ops->alloc(d->card, SYSTOLE_PORT_GMEM1, 4096, &d->launch.program);
  if (status == SYSTOLE_OK)
    status = ops->alloc(d->card, SYSTOLE_PORT_GMEM1, 4096, &d->launch.weights);
  if (status == SYSTOLE_OK)
    status = ops->alloc(d->card, SYSTOLE_PORT_GMEM0, 4096, &d->launch.activations);
  if (status == SYSTOLE_OK)
    status =
        ops->write(d->card, SYSTOLE_PORT_GMEM1, d->launch.program, kEnd, sizeof kEnd);
  return status;
}

static systole_status call(const device *d, double *seconds) {
  int done = 0;
  const double began = systole_wall_seconds();
  systole_status status = d->ops->start(d->card, &d->launch);
  while (status == SYSTOLE_OK && !done) status = d->ops->wait(d->card, 1000, &done);
  *seconds = systole_wall_seconds() - began;
  return status;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  device rtl = {0}, xrt = {0};
  const long calls = argc > 3 ? strtol(argv[3], NULL, 10) : 2000;
  if (argc < 3 || calls < 1 || calls > kMostCalls) {
    (void)fprintf(stderr, "usage: call_cost DIM FILE.xclbin [CALLS]\n");
    return 2;
  }
  double *a = calloc((size_t)calls, sizeof *a), *b = calloc((size_t)calls, sizeof *b);
  systole_status status = a && b ? SYSTOLE_OK : SYSTOLE_ERR_HOST_MEMORY;
  if (status == SYSTOLE_OK) status = prepare(&rtl, &systole_card_rtl, argv[1]);
  if (status == SYSTOLE_OK) status = prepare(&xrt, &systole_card_xrt, argv[2]);
  for (long i = 0; i < calls && status == SYSTOLE_OK; i++) {
    status = call(&rtl, &a[i]);
    if (status == SYSTOLE_OK) status = call(&xrt, &b[i]);
  }
  if (status == SYSTOLE_OK) {
    qsort(a, (size_t)calls, sizeof *a, ascending);
    qsort(b, (size_t)calls, sizeof *b, ascending);
    const double rtl_us = 1e6 * a[calls / 2], xrt_us = 1e6 * b[calls / 2];
    (void)printf("{\"calls\":%ld,\"rtl_us\":%.2f,\"xrt_us\":%.2f,\"beyond_us\":%.2f}\n",
                 calls, rtl_us, xrt_us, xrt_us - rtl_us);
  } else {
    (void)fprintf(stderr, "call_cost: %s\n", systole_last_error());
  }
  systole_card_xrt.close(xrt.card);
  systole_card_rtl.close(rtl.card);
  free(a);
  free(b);
  return status == SYSTOLE_OK ? 0 : 1;
}
