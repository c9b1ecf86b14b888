/* Products of many sizes on one open device: each must equal the plain product, leave
 * what is between the rows of C alone, and account for every cycle.
 *
 *   sizes DEVICE [RANDOM_STALLS_SEED]     shapes `M N K`, one a line, on standard input
 *
 * Every shape runs with operands of its own seed; every fourth with gaps between rows,
 * every fifth with extreme values. Exit: 0 all good, 1 a product or a ledger is wrong, 2
 * bad usage or input, 3 the device is not here, 4 the device failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/product.h"
#include "systole/systole.h"

static uint64_t ledger_sum(const systole_ledger *ledger) {
  return ledger->active + ledger->start + ledger->drain + ledger->output_stall +
         ledger->input_stall + ledger->weight_stall + ledger->weight_shift +
         ledger->other;
}

/* 0 good, 1 wrong, 4 the device failed; says what. */
static int try_shape(systole_device *device, int64_t m, int64_t n, int64_t k) {
  const uint64_t seed = (uint64_t)(m * 1000003 + n * 1009 + k);
  const systole_values values =
      seed % 5 == 0 ? SYSTOLE_VALUES_EXTREME : SYSTOLE_VALUES_RANDOM;
  systole_product product =
      systole_product_make(m, n, k, seed % 4 == 0 ? 3 : 0, seed, values);
  systole_stats stats = {0};
  int result = 0;
  const systole_status status =
      systole_gemm_s8(device, m, n, k, product.a, product.lda, product.b, product.ldb,
                      product.c, product.ldc, &stats);
  if (status != SYSTOLE_OK) {
    printf("FAILED %" PRId64 " %" PRId64 " %" PRId64 ": %s: %s\n", m, n, k,
           systole_status_name(status), systole_last_error());
    result = 4;
    goto done;
  }
  const char *wrong = systole_product_check(&product);
  if (wrong != NULL) {
    printf("WRONG %" PRId64 " %" PRId64 " %" PRId64 ": %s\n", m, n, k, wrong);
    result = 1;
  }
  if (stats.has_cycles && ledger_sum(&stats.ledger) != stats.cycles) {
    printf("WRONG %" PRId64 " %" PRId64 " %" PRId64 ": the ledger's parts sum to %" PRIu64
           ", cycles are %" PRIu64 "\n",
           m, n, k, ledger_sum(&stats.ledger), stats.cycles);
    result = 1;
  }
done:
  systole_product_free(&product);
  return result;
}

int main(int argc, char **argv) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = NULL;
  uint64_t shapes = 0, wrong = 0;
  int64_t m = 0, n = 0, k = 0;
  int result = 0, fields = 0;

  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: sizes DEVICE [RANDOM_STALLS_SEED] < shapes\n");
    return 2;
  }
  options.threads = 1;
  if (argc == 3) {
    options.stall_seed = strtoull(argv[2], NULL, 10);
    options.check_protocol = 1;
  }
  const systole_status status = systole_device_open(&device, argv[1], &options);
  if (status != SYSTOLE_OK) {
    fprintf(stderr, "sizes: %s\n", systole_last_error());
    return status == SYSTOLE_ERR_NOT_FOUND ? 3 : 4;
  }
  while (result < 4 &&
         (fields = scanf("%" SCNd64 " %" SCNd64 " %" SCNd64, &m, &n, &k)) == 3) {
    const int one = try_shape(device, m, n, k);
    shapes++;
    if (one != 0) wrong++;
    if (one > result) result = one;
  }
  if (result < 4 && fields != EOF) {
    fprintf(stderr, "sizes: line %" PRIu64 " is not `M N K`\n", shapes + 1);
    result = 2;
  }
  systole_device_close(device);
  printf("%" PRIu64 " products, %" PRIu64 " wrong\n", shapes, wrong);
  return result;
}
