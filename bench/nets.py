"""The classifiers of src/engine/model in PyTorch, for the comparisons: torchvision's, with the stem for
small pictures where asked, without dropout and stochastic depth unless asked, and beginning as ours do."""
import torch
import torchvision

NAMES = {"mobilenetv2": "mobilenet_v2", "mobilenetv3-small": "mobilenet_v3_small",
         "efficientnet-b0": "efficientnet_b0"}


class Tiny(torch.nn.Module):
    def __init__(self, classes, small):
        super().__init__()
        nn, block = torch.nn, torchvision.models.resnet.BasicBlock
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 16, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        down = lambda a, b: nn.Sequential(nn.Conv2d(a, b, 1, 2, bias=False), nn.BatchNorm2d(b))
        self.layer1 = nn.Sequential(block(16, 16))
        self.layer2 = nn.Sequential(block(16, 32, 2, down(16, 32)))
        self.layer3 = nn.Sequential(block(32, 64, 2, down(32, 64)))
        self.fc = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def small_stem(model, net):
    """The first reductions fall away: resnets lose a stride and the pool, the others two strides."""
    if model.startswith("resnet"):
        net.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        torch.nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = torch.nn.Identity()
        return
    strided = [m for m in net.features.modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)]
    for conv in strided[:2]:
        conv.stride = (1, 1)


def build(model, stem, classes, dropout=False):
    if model == "tiny":
        return Tiny(classes, stem == "small")
    begin = {"zero_init_residual": True} if model == "resnet50" else {}
    net = getattr(torchvision.models, NAMES.get(model, model))(num_classes=classes, **begin)
    if model == "efficientnet-b0":  # torchvision's own beginning is meant for 1000 classes
        torch.nn.init.normal_(net.classifier[1].weight, 0, 0.01)
    if stem == "small":
        small_stem(model, net)
    if not dropout:
        for m in net.modules():
            if isinstance(m, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
                m.p = 0.0
    return net
