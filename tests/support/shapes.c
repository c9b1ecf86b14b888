#include "shapes.h"

#include <assert.h>

size_t systole_shapes(systole_shape out[SYSTOLE_MAX_SHAPES], int dim) {
  const int64_t d = dim;
  const systole_shape table[] = {
      {0, 3, 3, "no rows: nothing is computed, nothing is written"},
      {3, 0, 3, "no columns"},
      {3, 3, 0, "empty sums are zeros"},
      {0, 0, 0, "nothing at all"},
      {1, 1, 1, "one MAC: everything is padding"},
      {1, d, d, "one row through one whole tile"},
      {d, 1, d, "one column: the other lanes are padding"},
      {d, d, 1, "one product per sum: the other rows of the tile are zeros"},
      {d - 1, d - 1, d - 1, "one less than the array in every direction"},
      {d, d, d, "exactly the array"},
      {d + 1, d + 1, d + 1, "one more than the array in every direction"},
      {d - 1, d, d + 1, "padding in K alone, fewer rows than a tile takes to shift in"},
      {d + 1, d - 1, d, "padding in N alone"},
      {2 * d, 2 * d, 2 * d, "whole tiles, several of each"},
      {2 * d, d, 3 * d, "a short product with a deeper K"},
      {3 * d + 1, 3 * d + 1, 3 * d + 1, "the last of the exhaustive cube"},
      {3 * d - 1, 2 * d + 1, d - 1, "K below one tile, N just beyond two"},
      {7, 11, 13, "small primes"},
      {17, 31, 37, "primes around usual array sizes"},
      {61, 67, 71, "primes around 64"},
      {2, 5 * d + 1, 3, "few rows: column blocks share an accumulator half"},
      {1, 9 * d, 2 * d, "one row, many column blocks: weights must stream"},
      {1, 1, 33 * d, "one sum, deep K: a tile every dim cycles"},
      {1, 2 * d, 64 * d, "one row, very deep K"},
      {3, 3, 17 * d + 1, "deep K with padding"},
      {2 * d + 3, d + 1, 20 * d - 1, "deep K on several strips"},
      {40 * d + 3, 1, 1, "tall: many rows, next to nothing to do with each"},
      {33 * d + 1, d, d, "tall, one tile of weights"},
      {20 * d + 5, 2 * d - 1, 3 * d + 2, "tall, several strips, all edges padded"},
      {1, 40 * d + 3, 1, "wide from one row"},
      {5, 33 * d + 1, d, "wide: more column blocks than queues hold"},
      {d + 2, 12 * d - 1, 2 * d + 1, "wide, edges padded"},
      {130, d + 1, 2 * d, "just beyond a strip of 128 rows"},
      {129, 3 * d, 9 * d, "a strip and one row"},
      {256, 2 * d, 2 * d, "whole strips"},
      {6 * d + 5, 5 * d + 7, 7 * d + 3, "a bit of everything"},
  };
  const size_t count = sizeof table / sizeof table[0];
  assert(count <= SYSTOLE_MAX_SHAPES);
  for (size_t i = 0; i < count; i++) out[i] = table[i];
  return count;
}
