/* kernel.h - front door of the kernels: layouts, shapes and the table of computing functions.
 *
 * Layouts.  Channels come in blocks of 16 (CH), the last block padded with zeros:
 *   activation  [n][channels / 16][h][w][16]         (oneDNN: nChw16c)
 *   image       [n][h][w][4], the fourth channel 0
 *   weights     [oc / 16][ic / 16][k][k][16 i][16 o]  (oneDNN: OIhw16i16o)
 *   stem        [oc / 16][k][k][4 i][16 o]
 *   swapped     [oc / 16][ic / 16][k][k][16 o][16 i]  (OIhw16o16i; for the gradient of the input;
 *               or, `input_first`, [ic / 16][oc / 16]..., IOhw16o16i: oneDNN's 1x1 kernels)
 *   depthwise   [c / 16][k][k][16]                    (oneDNN: Goihw16g)
 * Padding stays zero by itself: zero weights give zero activations, which give zero gradients.
 *
 * A function computes one piece (an image, a block of channels, a run of tiles) on the calling
 * thread; who calls it for which piece is decided in engine/graph.  Pieces never share an output,
 * and no value depends on how the work was cut, so results are the same for any number of threads.
 * All pointers are 64-byte aligned; nothing here allocates or fails.
 */
#ifndef ANNEAL_ENGINE_KERNEL_KERNEL_H
#define ANNEAL_ENGINE_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CH = 16,        /* channels in a block */
    CH_IMAGE = 4,   /* channels of the image as it enters */
    WINO_COLS = 64, /* output channels that wino_cols takes together */
    GRADS_MAX = 3,  /* gradients that a kernel adds on its way */
};

/* Hard sigmoid: min(max(x + 3, 0), 6) / 6; hard swish: x times that (arXiv:1905.02244, 5.2). */
#define ACT_CASES(X)                                                                               \
    X(ACT_NONE)                                                                                    \
    X(ACT_RELU) X(ACT_RELU6) X(ACT_SILU) X(ACT_SIGMOID) X(ACT_HARD_SWISH) X(ACT_HARD_SIGMOID)
#define X(act) act,
enum act { ACT_CASES(X) };
#undef X

/* One convolution, square kernel, zero padding.  ic and oc are padded counts: multiples of 16, or
 * ic 4 for the image.  Depthwise: ic == oc, each channel on its own. */
struct conv_shape {
    int ic, oc;
    int ih, iw, oh, ow;
    int k, stride, pad;
    bool depthwise;
};

/* What is fused behind a convolution.  Inference: y = act(y + bias + residual), or, `after`,
 * act(y + bias) + residual.  Training in bfloat16 by Winograd: `half`, and nothing else; y is then
 * an array of bfloat16 in place of floats. */
struct epilogue {
    const float *bias;     /* [oc] */
    const float *residual; /* laid out as y, or y itself; NULL: none */
    enum act act;
    bool after;
    bool half;
};

/* Element `at` of an array of floats or, `half`, of bfloat16 that is passed as one. */
static inline float *half_at(const float *p, size_t at, bool half)
{
    return (float *)((uintptr_t)p + at * (half ? sizeof(uint16_t) : sizeof(float)));
}

/* A square window that moves over a plane. */
struct pool_shape {
    int ih, iw, oh, ow;
    int k, stride, pad; /* k at most 15 */
};

/* Batch norm over `images` images of one block of channels.  Pointers stand at the first image's
 * block; images lie image_stride floats apart; hw pixels each. */
struct bn_range {
    int images, hw;
    size_t image_stride; /* elements */
    bool half;           /* y is in bfloat16 */
    bool large; /* the whole node does not fit any cache: write past them.  Never changes a value */
};

/* Backward of act(batch norm(y) + residual), or, `after`, of act(batch norm(y)) + residual, for one
 * block of channels. */
struct bn_grad {
    struct bn_range range;
    const float *y;              /* convolution output */
    const float *a;              /* activation; read only with a residual not `after` */
    float *g[GRADS_MAX];         /* incoming gradients; their sum is the gradient of `a` */
    int g_count;                 /* 1..GRADS_MAX */
    float *dy;                   /* gradient of y; may be g[0] when there is no residual */
    const float *mean, *inv_std; /* [16] */
    const float *scale, *shift;  /* [16] as used forward: z = y * scale + shift */
    enum act act;
    bool residual; /* g[0] receives the gradient that flows to the residual */
    bool after;
};

/* Some images of one block of channels, each in a frame of zeros one pixel wide:
 * [images][h + 2][w + 2][16]. */
struct framed {
    float *p;
    int images, h, w;
};

/* One step of AdamW.  Complements are given, not formed: 1 - 0.999f is off by 1e-5. */
struct adamw {
    float beta1, rest1; /* rest1 = 1 - beta1 */
    float beta2, rest2;
    float eps;
    float rate;       /* lr / (1 - beta1^t) */
    float root_scale; /* 1 / sqrt(1 - beta2^t) */
    float keep;       /* 1 - lr * weight decay */
    float grad_scale;
};

/* Floats that wino_cols wants: for the transformed tiles, each thread's products, the weights. */
struct wino_cols_room {
    size_t v, scratch, weights;
};

struct kernels {
    const char *isa;

    /* ---- direct convolution; x, y, dx, dy stand at one image */
    size_t (*conv_scratch)(const struct conv_shape *s); /* floats for each thread */
    /* Output rows [row0, row1) of output blocks [ob0, ob1).  `e` NULL: y is the plain sum. */
    void (*conv_forward)(const struct conv_shape *s, const float *x, const float *w, float *y,
                         int row0, int row1, int ob0, int ob1, const struct epilogue *e,
                         float *scratch);
    /* The same for small pictures: the patches of an image as rows [ic / 16][oh * ow][k * k * 16],
     * one input block at a time; then all images at once, so that weights are read once for all. */
    void (*conv_rows)(const struct conv_shape *s, const float *x, float *rows, int ib);
    void (*conv_forward_rows)(const struct conv_shape *s, int images, const float *rows,
                              const float *w, float *y, int ob0, int ob1,
                              const struct epilogue *e); /* residual at image 0 */
    void (*conv_swap_weights)(const struct conv_shape *s, const float *w, float *swapped, int ib,
                              bool input_first); /* of input block ib */
    /* Input blocks [ib0, ib1). */
    void (*conv_backward_data)(const struct conv_shape *s, const float *dy, const float *swapped,
                               float *dx, int ib0, int ib1, float *scratch);
    /* All images, input block ib, output blocks [ob0, ob1). */
    void (*conv_backward_weights)(const struct conv_shape *s, int images, const float *x,
                                  const float *dy, float *dw, int ib, int ob0, int ob1,
                                  float *scratch);

    /* ---- depthwise convolution, one block of channels */
    void (*depthwise_forward)(const struct conv_shape *s, const float *x, const float *w, float *y,
                              const struct epilogue *e); /* one image */
    void (*depthwise_backward_data)(const struct conv_shape *s, const float *dy, const float *w,
                                    float *dx); /* one image */
    void (*depthwise_backward_weights)(const struct conv_shape *s, int images, const float *x,
                                       const float *dy, float *dw); /* all images */

    /* ---- training of depthwise 3x3, pad 1, stride 1 or 2, one block of channels of some images in
     * frames; those of y and dx lie y_image, dx_image floats apart. */
    void (*frame_clear)(const struct framed *f); /* the zeros around */
    /* act(y * scale + shift) into the frame; what bn_grad_apply computes, likewise (no residual
     * `after`; dy is not used). */
    void (*frame_apply)(const struct framed *f, const struct bn_range *r, const float *y,
                        const float *scale, const float *shift, enum act act);
    void (*frame_grad)(const struct framed *f, const struct bn_grad *b, const float *mean_g,
                       const float *mean_dot);
    void (*depthwise3_forward)(const struct conv_shape *s, const struct framed *x, const float *w,
                               float *y, size_t y_image);
    void (*depthwise3_data)(const struct conv_shape *s, const struct framed *dy, const float *w,
                            float *dx, size_t dx_image);
    void (*depthwise3_weights)(const struct conv_shape *s, const struct framed *x,
                               const struct framed *dy, float *dw); /* added to dw */

    /* ---- Winograd for 3x3, pad 1, stride 1 or 2, output in tiles of 4x4 (Lavin and Gray,
     * arXiv:1509.09308).  Transformed weights u [36][columns / group][rows][group], group 64, 32
     * or 16 columns; `backward`: for the gradient of the input, where rows and columns (input and
     * output channels) change places and the taps turn round. */
    /* Transform the weights for block `ob` of columns. */
    void (*wino_weights)(const struct conv_shape *s, const float *w, float *u, int ob,
                         bool backward);
    size_t (*wino_scratch)(const struct conv_shape *s, int tiles); /* floats for each thread */
    /* Tiles [t0, t1) of all images together (image, row, column): x to y, or dy to dx; e as above
     * (residual and y at image 0), forward alone. */
    void (*wino_forward)(const struct conv_shape *s, bool backward, const float *x, const float *u,
                         float *y, int t0, int t1, const struct epilogue *e, float *scratch);
    /* Gradient of the weights in three steps: transform tiles [t0, t1) into vz (wino_scratch of
     * `chunk` tiles) at column t - base; multiply for one of the 36 transformed weights and input
     * channels [i0, i1), adding to du [36][ic][oc] when `add`; transform du of one output block
     * back. */
    void (*wino_grad_tiles)(const struct conv_shape *s, const float *x, const float *dy, float *vz,
                            int t0, int t1, int base, int chunk);
    void (*wino_grad_multiply)(const struct conv_shape *s, const float *vz, float *du, int weight,
                               int i0, int i1, int tiles, int chunk, bool add);
    void (*wino_grad_weights)(const struct conv_shape *s, const float *du, float *dw, int ob);

    /* The same for inference with many channels (oc a multiple of WINO_COLS, stride 1) and few
     * tiles, of 2x2 or 4x4 outputs: all `tiles` of all images go into v, tiles [t0, t1) of them in
     * a call; then group number `group` of WINO_COLS output channels, all tiles. */
    struct wino_cols_room (*wino_cols_room)(const struct conv_shape *s, int tile, int tiles);
    void (*wino_cols_weights)(const struct conv_shape *s, int tile, const float *w, float *u,
                              int ob);
    void (*wino_cols_tiles)(const struct conv_shape *s, int tile, const float *x, float *v, int t0,
                            int t1, int tiles);
    void (*wino_cols_forward)(const struct conv_shape *s, int tile, const float *v, const float *u,
                              float *y, int group, int tiles, const struct epilogue *e,
                              float *scratch);

    /* ---- batch norm, one block of channels */
    /* Sums of (y - pivot) and its square, added to sum[16] and square[16]. */
    void (*bn_sums)(const struct bn_range *r, const float *y, const float *pivot, double *sum,
                    double *square);
    /* a = act(y * scale + shift + residual), or, `after`, act(y * scale + shift) + residual */
    void (*bn_apply)(const struct bn_range *r, const float *y, const float *residual, float *a,
                     const float *scale, const float *shift, enum act act, bool after);
    /* First pass: gradient through the activation; sums of it and of it times normalised y. */
    void (*bn_grad_sums)(const struct bn_grad *b, double *sum, double *dot);
    /* Second pass: dy = scale * (g - mean_g - normalised y * mean_dot). */
    void (*bn_grad_apply)(const struct bn_grad *b, const float *mean_g, const float *mean_dot);

    /* ---- the rest, one image and one block of channels unless said */
    /* Pixels [from, from + n) of [3][plane] to the layout. */
    void (*image_pack)(const float *nchw, float *x, size_t plane, size_t from, size_t n);
    /* `from` (NULL: do not) remembers which tap, 0..k*k-1, gave each maximum. */
    void (*max_pool)(const struct pool_shape *s, const float *x, float *y, unsigned char *from);
    void (*max_pool_grad)(const struct pool_shape *s, float *const *g, int g_count,
                          const unsigned char *from, float *dx);
    /* Nearest neighbour from h x w to 2h x 2w; its gradient dx [h][w]. */
    void (*upsample)(const float *x, float *y, int h, int w);
    void (*upsample_grad)(const float *dy, float *dx, int h, int w);
    /* y = x * by, by[16]; dx = dy * by, dby = sum of dy * x. */
    void (*gate)(const float *x, const float *by, float *y, int hw);
    void (*gate_grad)(const float *x, const float *by, const float *dy, float *dx, float *dby,
                      int hw);
    void (*average)(const float *x, float *y, int hw);               /* y[16] */
    void (*average_grad)(const float *dy, float *dx, int hw);        /* dy[16] */
    float (*dot)(const float *a, const float *b, size_t n);          /* n a multiple of 16 */
    void (*add_scaled)(float *y, const float *x, float k, size_t n); /* y += k x */
    void (*blend)(float *y, const float *x, float d, size_t n);      /* y = d y + (1 - d) x */
    void (*round_half)(const float *x, float *y, size_t n); /* y: bfloat16; n a multiple of 16 */
    void (*sum_into)(float *y, const float *const *parts, int count, size_t at, size_t n);
    /* y = e^x, relative error 2e-7, x clamped to +-87, a NaN passes; n a multiple of 16. */
    void (*exp_of)(const float *x, float *y, size_t n);
    double (*square_sum)(const float *x, size_t n);
    void (*sgd)(float *p, const float *g, float *m, size_t n, float lr, float momentum,
                bool nesterov, float decay, float grad_scale);
    void (*adamw)(float *p, const float *g, float *m, float *v, size_t n, const struct adamw *a);
};

/* The best table this machine can run; `isa` NULL, or "avx512", "avx2", "base" to insist (NULL if
 * the machine cannot). */
const struct kernels *kernels_get(const char *isa);

static inline int ch_pad(int c)
{
    return (c + CH - 1) / CH * CH;
}

static inline size_t ch_pad_size(size_t n)
{
    return (n + CH - 1) / CH * CH;
}

/* Columns of transformed Winograd weights that lie together. */
static inline int wino_group(int cols)
{
    return cols % 64 == 0 ? 64 : cols % 32 == 0 ? 32 : 16;
}

#endif
