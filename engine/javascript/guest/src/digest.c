// SHA-1, SHA-256, SHA-384, SHA-512 (FIPS 180-4) and MD5 (RFC 1321) of bytes that
// are all there. Their constants are computed where the standards give a rule
// for them, so that there are no tables to mistype.
#include <math.h>
#include <string.h>
#include "guest.h"

static uint32_t rotl32(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t rotr32(uint32_t x, int n) { return x >> n | x << (32 - n); }
static uint64_t rotr64(uint64_t x, int n) { return x >> n | x << (64 - n); }

static uint32_t load32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint64_t load64(const uint8_t *p) { return (uint64_t)load32(p) << 32 | load32(p + 4); }

// The first 64 bits of the fraction of the square (or cube) root of n, by
// bisection: there is no floating point type that is exact enough.
static uint64_t root_fraction(unsigned n, bool cube) {
  unsigned __int128 low = 0, high = (unsigned __int128)32 << 64; // roots are below 32
  while (high - low > 1) {
    unsigned __int128 x = (low + high) / 2;
    // x is root * 2^64, below 2^69. Compare x^k with n * 2^(64k), in 32-bit limbs.
    uint64_t product[8] = {1};
    for (int k = 0; k < (cube ? 3 : 2); k++) {
      uint64_t next[8] = {0};
      for (int i = 0; i < 8; i++)
        for (int j = 0; j < 3 && i + j < 8; j++) {
          uint64_t limb = (uint32_t)(x >> (32 * j)), carry = product[i] * limb;
          for (int l = i + j; l < 8 && carry; l++) {
            carry += next[l];
            next[l] = (uint32_t)carry;
            carry >>= 32;
          }
        }
      memcpy(product, next, sizeof product);
    }
    int top = cube ? 6 : 4; // limbs of the fraction
    if ((product[top] | product[top + 1] << 32) >= n) // roots of primes are irrational: never equal
      high = x;
    else
      low = x;
  }
  return (uint64_t)low;
}

static uint64_t sha_k[80];  // cube roots of the first 80 primes
static uint64_t sha_h[16];  // square roots of the first 16
static uint32_t md5_k[64];

static void constants(void) {
  if (md5_k[0]) return;
  unsigned prime = 2;
  for (int i = 0; i < 80; prime++) {
    bool composite = false;
    for (unsigned d = 2; d * d <= prime; d++) composite |= prime % d == 0;
    if (composite) continue;
    sha_k[i] = root_fraction(prime, true);
    if (i < 16) sha_h[i] = root_fraction(prime, false);
    i++;
  }
  for (int i = 0; i < 64; i++) md5_k[i] = (uint32_t)floor(fabs(sin(i + 1)) * 4294967296.0);
}

// Calls block for each block of the message with its padding: a 1 bit, zeros, and
// the length in bits at the end.
static void blocks(void *state, void (*block)(void *, const uint8_t *), size_t size,
                   const uint8_t *p, size_t n, bool little) {
  size_t whole = n / size * size, rest = n - whole, length = size == 128 ? 16 : 8;
  for (size_t i = 0; i < whole; i += size) block(state, p + i);
  uint8_t last[256] = {0};
  if (rest) memcpy(last, p + whole, rest);
  last[rest] = 0x80;
  size_t end = rest + 1 + length <= size ? size : 2 * size;
  uint64_t bits = (uint64_t)n * 8;
  for (int i = 0; i < 8; i++)
    last[little ? end - 8 + i : end - 1 - i] = (uint8_t)(bits >> (8 * i));
  for (size_t i = 0; i < end; i += size) block(state, last + i);
}

static void md5_block(void *state, const uint8_t *p) {
  static const uint8_t shift[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t *h = state, w[16], a = h[0], b = h[1], c = h[2], d = h[3];
  memcpy(w, p, 64); // wasm is little endian, as MD5
  for (int i = 0; i < 64; i++) {
    uint32_t f;
    int g;
    switch (i / 16) {
    case 0: f = (b & c) | (~b & d), g = i; break;
    case 1: f = (d & b) | (~d & c), g = (5 * i + 1) % 16; break;
    case 2: f = b ^ c ^ d, g = (3 * i + 5) % 16; break;
    default: f = c ^ (b | ~d), g = 7 * i % 16; break;
    }
    f += a + md5_k[i] + w[g];
    a = d, d = c, c = b, b += rotl32(f, shift[i / 16][i % 4]);
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

static void sha1_block(void *state, const uint8_t *p) {
  uint32_t *h = state, w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++) w[i] = load32(p + 4 * i);
  for (int i = 16; i < 80; i++) w[i] = rotl32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                 : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                          : (b ^ c ^ d) + 0xca62c1d6;
    uint32_t t = rotl32(a, 5) + f + e + w[i];
    e = d, d = c, c = rotl32(b, 30), b = a, a = t;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void sha256_block(void *state, const uint8_t *p) {
  uint32_t *h = state, w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = load32(p + 4 * i);
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (rotr32(x, 7) ^ rotr32(x, 18) ^ x >> 3) + w[i - 7] +
           (rotr32(y, 17) ^ rotr32(y, 19) ^ y >> 10);
  }
  memcpy(v, h, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t e = v[4], a = v[0];
    uint32_t t1 = v[7] + (rotr32(e, 6) ^ rotr32(e, 11) ^ rotr32(e, 25)) + ((e & v[5]) ^ (~e & v[6])) +
                  (uint32_t)(sha_k[i] >> 32) + w[i];
    uint32_t t2 = (rotr32(a, 2) ^ rotr32(a, 13) ^ rotr32(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1, v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

static void sha512_block(void *state, const uint8_t *p) {
  uint64_t *h = state, w[80], v[8];
  for (int i = 0; i < 16; i++) w[i] = load64(p + 8 * i);
  for (int i = 16; i < 80; i++) {
    uint64_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (rotr64(x, 1) ^ rotr64(x, 8) ^ x >> 7) + w[i - 7] +
           (rotr64(y, 19) ^ rotr64(y, 61) ^ y >> 6);
  }
  memcpy(v, h, sizeof v);
  for (int i = 0; i < 80; i++) {
    uint64_t e = v[4], a = v[0];
    uint64_t t1 = v[7] + (rotr64(e, 14) ^ rotr64(e, 18) ^ rotr64(e, 41)) + ((e & v[5]) ^ (~e & v[6])) +
                  sha_k[i] + w[i];
    uint64_t t2 = (rotr64(a, 28) ^ rotr64(a, 34) ^ rotr64(a, 39)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1, v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

size_t digest(const char *algorithm, const uint8_t *p, size_t n, uint8_t out[DIGEST_MAX]) {
  static const uint32_t h1[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint32_t h32[8];
  uint64_t h64[8];
  constants();
  if (!strcmp(algorithm, "md5")) {
    memcpy(h32, h1, 16);
    blocks(h32, md5_block, 64, p, n, true);
    memcpy(out, h32, 16);
    return 16;
  }
  size_t size;
  if (!strcmp(algorithm, "sha1")) {
    memcpy(h32, h1, size = 20);
    blocks(h32, sha1_block, 64, p, n, false);
  } else if (!strcmp(algorithm, "sha256")) {
    for (int i = 0; i < 8; i++) h32[i] = (uint32_t)(sha_h[i] >> 32);
    blocks(h32, sha256_block, 64, p, n, false);
    size = 32;
  } else if (!strcmp(algorithm, "sha512") || !strcmp(algorithm, "sha384")) {
    bool shorter = algorithm[3] == '3';
    memcpy(h64, shorter ? sha_h + 8 : sha_h, sizeof h64);
    blocks(h64, sha512_block, 128, p, n, false);
    size = shorter ? 48 : 64;
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)(h64[i / 8] >> (56 - 8 * (i % 8)));
    return size;
  } else {
    return 0;
  }
  for (size_t i = 0; i < size; i++) out[i] = (uint8_t)(h32[i / 4] >> (24 - 8 * (i % 4)));
  return size;
}
