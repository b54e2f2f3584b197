/* init.c - initial weights from a counter: element i of tensor t is a function of (seed, t, i).
 *
 * The normal distribution comes by Box and Muller from two uniform numbers.  Logarithm and cosine
 * are computed here, from additions, multiplications, divisions and the square root alone, which
 * IEEE 754 rounds in one way: libm's may differ from one machine to the next in the last bit.
 */
#include "base/hash.h"
#include "engine/model/net_int.h"
#include <math.h>

/* ln x for x in (0, 1]: x = m 2^e, ln m = 2 atanh((m - 1) / (m + 1)) as a series. */
static double exact_log(double x)
{
    const double ln2 = 0.693147180559945309417;
    int exponent;
    double m = frexp(x, &exponent);

    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    const double s = (m - 1) / (m + 1), square = s * s;
    double sum = 0;
    for (int k = 25; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return 2 * s * sum + exponent * ln2;
}

/* cos(2 pi u) for u in [0, 1): folded into the first quadrant, then Taylor's series. */
static double exact_cos_turn(double u)
{
    const double half_pi = 1.57079632679489661923;
    double t = u < 0.5 ? u : 1 - u; /* cos is even about half a turn */
    const double sign = t > 0.25 ? -1 : 1;

    if (t > 0.25)
        t = 0.5 - t;
    const double x = 4 * t * half_pi, square = x * x;
    double sum = 0;
    for (int k = 24; k >= 2; k -= 2)
        sum = (sum + 1) * -square / (k * (k - 1));
    return sign * (1 + sum);
}

double init_uniform(uint64_t seed, uint64_t tensor, uint64_t index)
{
    return rand_unit(rand_at(seed, tensor, index, 0));
}

double init_normal(uint64_t seed, uint64_t tensor, uint64_t index)
{
    const double u = 1 - rand_unit(rand_at(seed, tensor, index, 0)); /* (0, 1] */
    const double v = rand_unit(rand_at(seed, tensor, index, 1));

    return sqrt(-2 * exact_log(u)) * exact_cos_turn(v);
}
