/* C = A B, int8 x int8 -> int32 modulo 2^32, with the epilogue of systole.h on the device.
 *
 * Layout, prepared by the host: four values of K form one 32-bit word, K padded with zeros to
 * whole steps of WORDS words.
 *   a: [rows padded to TILE_M][words]    row-major, as the rows of A
 *   b: [words][columns padded to TILE_N] one word holds four rows of one column of B
 *   c: [m][n]                            int32, or int8 when REQUANTISE is 1
 *
 * A work-group of 16 x 16 items computes TILE_M x TILE_N results; an item computes 4 x 4 of
 * them, whose rows and columns lie 16 apart so that neighbouring items read neighbouring words.
 *
 * DOT(x, y, sum) adds four products; the host builds the fastest form that its self-test finds
 * exact on the device: DOT_KHR (cl_khr_integer_dot_product), DOT_PTX (dp4a, NVIDIA), else plain.
 */
#define TILE_M 64
#define TILE_N 64
#define WORDS 8
#define SIDE 16

#if defined(DOT_KHR)
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable
#define DOT(x, y, sum) ((sum) + dot(as_char4(x), as_char4(y)))
#elif defined(DOT_PTX)
int dp4a(int x, int y, int sum) {
  int result;
  __asm__("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
  return result;
}
#define DOT(x, y, sum) dp4a((x), (y), (sum))
#else
int dot_plain(int x, int y, int sum) {
  const char4 p = as_char4(x), q = as_char4(y);
  return sum + (int)p.x * q.x + (int)p.y * q.y + (int)p.z * q.z + (int)p.w * q.w;
}
#define DOT(x, y, sum) dot_plain((x), (y), (sum))
#endif

/* round_half_to_even(value / 2^shift), arithmetic shift. */
long round_shift(long value, uint shift) {
  if (shift == 0) return value;
  return (value + (1L << (shift - 1)) - 1 + ((value >> shift) & 1)) >> shift;
}

__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void gemm_int8(
    const int m, const int n, const int n_padded, const int words, __global const int *a,
    __global const int *b, __global int *c32, __global char *c8, const int requantise,
    __global const int *bias, __global const int *multiplier, __global const int *shift,
    const int zero_point, const int clamp_low, const int clamp_high) {
  __local int a_tile[WORDS][TILE_M + 1]; /* one word more a line: no bank conflict on store */
  __local int b_tile[WORDS][TILE_N];
  const int x = (int)get_local_id(0), y = (int)get_local_id(1);
  const int item = y * SIDE + x;
  const int row0 = (int)get_group_id(1) * TILE_M, column0 = (int)get_group_id(0) * TILE_N;
  int sum[4][4];
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) sum[i][j] = 0;

  for (int w0 = 0; w0 < words; w0 += WORDS) {
    for (int t = item; t < TILE_M * WORDS; t += SIDE * SIDE) {
      const int w = t % WORDS, r = t / WORDS;
      a_tile[w][r] = a[(size_t)(row0 + r) * words + w0 + w];
    }
    for (int t = item; t < TILE_N * WORDS; t += SIDE * SIDE) {
      const int w = t / TILE_N, j = t % TILE_N;
      b_tile[w][j] = b[(size_t)(w0 + w) * n_padded + column0 + j];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int w = 0; w < WORDS; w++) {
      int p[4], q[4];
      for (int i = 0; i < 4; i++) p[i] = a_tile[w][y + SIDE * i];
      for (int j = 0; j < 4; j++) q[j] = b_tile[w][x + SIDE * j];
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) sum[i][j] = DOT(p[i], q[j], sum[i][j]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }

  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 4; j++) {
      const int row = row0 + y + SIDE * i, column = column0 + x + SIDE * j;
      if (row >= m || column >= n) continue;
      const size_t at = (size_t)row * n + column;
      /* Unsigned: the sum wraps, which a signed overflow need not. */
      const int value = as_int(as_uint(sum[i][j]) + as_uint(bias[column]));
      if (requantise) {
        const long scaled =
            round_shift((long)value * multiplier[column], (uint)shift[column]) + zero_point;
        c8[at] = (char)clamp(scaled, (long)clamp_low, (long)clamp_high);
      } else {
        c32[at] = value;
      }
    }
  }
}
