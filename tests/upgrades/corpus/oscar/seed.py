from oscar.apps.catalogue.categories import create_from_breadcrumbs

users(30)
for a in range(4):
    for b in range(4):
        create_from_breadcrumbs("Root %d > Ünder %d > Leaf %s" % (a, b, rng.choice(WORDS[:5])))
labels = [
    "analytics",
    "address",
    "catalogue",
    "reviews",
    "communication",
    "partner",
    "basket",
    "payment",
    "offer",
    "voucher",
    "order",
    "customer",
    "shipping",
    "wishlists",
]
autofill(
    *labels,
    rows=40,
    skip=("catalogue.Category",),
    given={"voucher.VoucherSet.name": lambda n: "set %d" % n, "voucher.Voucher.name": lambda n: "voucher %d" % n},
)
