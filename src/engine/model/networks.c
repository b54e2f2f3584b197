/* networks.c - the networks that can be built, as a table: card, family, shape.
 *
 * Names and shapes of the classifiers' tensors are torchvision's, so that checkpoints can be
 * exchanged.
 */
#include "engine/model/family.h"
#include <string.h>

static const struct net_card cards[] = {
    {.name = "tiny",
     .title = "Tiny ResNet",
     .task = NET_CLASSIFICATION,
     .description = "A residual network of 8 layers and 16 to 64 channels: trains in seconds, for "
                    "trying things out and for very small pictures.",
     .image_size_default = 32,
     .image_size_min = 8,
     .params = 144312},
    {.name = "resnet18",
     .title = "ResNet-18",
     .task = NET_CLASSIFICATION,
     .description = "Residual network of 18 layers: the usual first choice.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 11689512},
    {.name = "resnet34",
     .title = "ResNet-34",
     .task = NET_CLASSIFICATION,
     .description = "Residual network of 34 layers: more accurate on large sets, twice the work "
                    "of ResNet-18.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 21797672},
    {.name = "resnet50",
     .title = "ResNet-50",
     .task = NET_CLASSIFICATION,
     .description = "Residual network of 50 layers in bottlenecks: the reference of the "
                    "literature; for large sets and much computing time.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 25557032},
    {.name = "mobilenetv2",
     .title = "MobileNetV2",
     .task = NET_CLASSIFICATION,
     .description = "Inverted residuals with depthwise convolutions: small and quick to run, for "
                    "phones and browsers.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 3504872},
    {.name = "mobilenetv3-small",
     .title = "MobileNetV3-small",
     .task = NET_CLASSIFICATION,
     .description = "The quickest of all: depthwise convolutions and channel gates, for the "
                    "smallest machines.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 2542856},
    {.name = "efficientnet-b0",
     .title = "EfficientNet-B0",
     .task = NET_CLASSIFICATION,
     .description = "More accurate than ResNet-18 with half its parameters and a quarter of its "
                    "arithmetic; slower to train than that suggests.",
     .image_size_default = 224,
     .image_size_min = 8,
     .params = 5288548},
    {.name = "detect-tiny",
     .title = "Detector, tiny",
     .task = NET_DETECTION,
     .description = "The detector's structure with 16 and 32 channels: learns simple scenes in a "
                    "minute, for trying things out.",
     .image_size_default = 160,
     .image_size_min = 32,
     .params = 166368},
    {.name = "detect-n",
     .title = "Detector, nano",
     .task = NET_DETECTION,
     .description = "One-stage detector without anchors, for boxes at three scales: the usual "
                    "first choice on a CPU.  Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 3026432},
    {.name = "detect-s",
     .title = "Detector, small",
     .task = NET_DETECTION,
     .description = "The detector with twice the channels: more accurate, three times the work.  "
                    "Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 11166544},
    {.name = "segment-tiny",
     .title = "Instance segmenter, tiny",
     .task = NET_SEGMENTATION,
     .description = "The segmenter's structure with 16 and 32 channels, for trying things out.",
     .image_size_default = 160,
     .image_size_min = 32,
     .params = 232736},
    {.name = "segment-n",
     .title = "Instance segmenter, nano",
     .task = NET_SEGMENTATION,
     .description =
         "The nano detector with a mask for every box.  Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 3262720},
    {.name = "segment-s",
     .title = "Instance segmenter, small",
     .task = NET_SEGMENTATION,
     .description =
         "The small detector with a mask for every box.  Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 11755344},
    {.name = "semseg-tiny",
     .title = "Semantic segmenter, tiny",
     .task = NET_SEMANTIC,
     .description =
         "The semantic segmenter's structure with 16 and 32 channels, for trying things out.",
     .image_size_default = 160,
     .image_size_min = 32,
     .params = 73280},
    {.name = "semseg-n",
     .title = "Semantic segmenter, nano",
     .task = NET_SEMANTIC,
     .description = "A class for every pixel: the nano detector's backbone and a feature pyramid.  "
                    "Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 1383072},
    {.name = "semseg-s",
     .title = "Semantic segmenter, small",
     .task = NET_SEMANTIC,
     .description =
         "A class for every pixel: the small detector's backbone and a feature pyramid.  "
         "Parameters are given for 80 classes.",
     .image_size_default = 320,
     .image_size_min = 32,
     .params = 5509360},
};
enum { NETWORKS = sizeof cards / sizeof cards[0] };

/* In the order of the cards. */
static const struct network networks[NETWORKS] = {
    {&cards[0], network_build_resnet, "fc.", LINEAR_FAN_IN, &resnet_tiny},
    {&cards[1], network_build_resnet, "fc.", LINEAR_FAN_IN, &resnet_18},
    {&cards[2], network_build_resnet, "fc.", LINEAR_FAN_IN, &resnet_34},
    {&cards[3], network_build_resnet, "fc.", LINEAR_FAN_IN, &resnet_50},
    {&cards[4], network_build_mobilenetv2, "classifier.", LINEAR_NORMAL},
    {&cards[5], network_build_mobilenetv3, "classifier.3.", LINEAR_NORMAL},
    {&cards[6], network_build_efficientnet, "classifier.", LINEAR_NORMAL},
    {&cards[7], network_build_detect, "head.", .csp = &csp_tiny},
    {&cards[8], network_build_detect, "head.", .csp = &csp_n},
    {&cards[9], network_build_detect, "head.", .csp = &csp_s},
    {&cards[10], network_build_segment, "head.", .csp = &csp_tiny},
    {&cards[11], network_build_segment, "head.", .csp = &csp_n},
    {&cards[12], network_build_segment, "head.", .csp = &csp_s},
    {&cards[13], network_build_semantic, "head.", .csp = &csp_tiny},
    {&cards[14], network_build_semantic, "head.", .csp = &csp_n},
    {&cards[15], network_build_semantic, "head.", .csp = &csp_s},
};

const struct network *network_find(const char *name)
{
    for (size_t i = 0; i < NETWORKS; i++)
        if (strcmp(networks[i].card->name, name) == 0)
            return &networks[i];
    return NULL;
}

const struct net_card *network_card(const struct network *w)
{
    return w->card;
}

const char *network_head_prefix(const struct network *w)
{
    return w->head;
}

bool network_conv_fan_in(const struct network *w)
{
    return w->csp;
}

enum network_linear network_linear(const struct network *w)
{
    return w->linear;
}

void network_build(const struct network *w, struct graph *g, int classes, bool small_stem)
{
    w->build(w, g, classes, small_stem);
}

const struct net_card *net_card_find(const char *name)
{
    const struct network *w = network_find(name);

    return w ? w->card : NULL;
}

const struct net_card *net_cards(size_t *ret_n)
{
    *ret_n = NETWORKS;
    return cards;
}
