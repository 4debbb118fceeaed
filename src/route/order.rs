//! In which order the services of a route are tried. Randomness comes in as a number.

use super::{Route, Service};
use std::sync::Arc;

impl Route {
    /// The services, in the order to try. Without weights that is the order of the file; with weights the first one is drawn by weight,
    /// then the next among the rest, and so on; services of weight zero come after all others, in the order of the file.
    /// `random`: any 64 evenly distributed bits. Where only some services have a weight, the others count as 1.
    pub fn order(&self, random: u64) -> Vec<Arc<Service>> {
        if self.services.len() < 2 || self.services.iter().all(|service| service.weight.is_none()) {
            return self.services.clone();
        }
        let (mut weighted, reserve): (Vec<_>, Vec<_>) =
            self.services.iter().cloned().partition(|service| weight(service) > 0);
        let mut state = random;
        let mut order = Vec::with_capacity(self.services.len());
        while !weighted.is_empty() {
            let total = weighted.iter().map(|service| weight(service)).sum();
            let mut point = below(&mut state, total);
            let drawn = weighted.iter().position(|service| {
                let reached = point < weight(service);
                point = point.saturating_sub(weight(service));
                reached
            });
            order.push(weighted.remove(drawn.expect("the point is below the sum of the weights")));
        }
        order.extend(reserve);
        order
    }
}

fn weight(service: &Service) -> u64 {
    service.weight.unwrap_or(1).into()
}

/// A number below `bound`, which is above zero, from the next state of SplitMix64.
fn below(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // The high half of the product is even enough: weights are far below 2^64.
    let product = u128::from(mixed) * u128::from(bound);
    u64::try_from(product >> 64).expect("a product of two 64-bit numbers, shifted by 64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Remote, Target, tests::route};
    use proptest::prelude::*;

    fn weighted(weights: &[Option<u32>]) -> Route {
        let mut route = route("r", "/");
        let first = Service::clone(&route.services[0]);
        let service = |(port, weight): (u16, &Option<u32>)| Service {
            target: Target::Grpc(Remote { host: "h".into(), port, tls: None }),
            weight: *weight,
            ..first.clone()
        };
        route.services = (0..).zip(weights).map(|it| Arc::new(service(it))).collect();
        route
    }

    fn ports(route: &Route, random: u64) -> Vec<u16> {
        let port = |service: &Arc<Service>| service.remote().expect("it is remote").port;
        route.order(random).iter().map(port).collect()
    }

    #[test]
    fn shares_follow_the_weights() {
        let route = weighted(&[Some(9), Some(1), Some(0)]);
        let mut first = [0; 3];
        for random in 0..10_000 {
            first[usize::from(ports(&route, random)[0])] += 1;
        }
        assert!((8_800..9_200).contains(&first[0]) && first[2] == 0, "{first:?}");
    }

    proptest! {
        #[test]
        fn without_weights_the_order_is_that_of_the_file(count in 1..6_usize, random: u64) {
            let order = ports(&weighted(&vec![None; count]), random);
            prop_assert!(order.is_sorted());
        }

        #[test]
        fn every_service_stands_once_and_zeros_last(
            weights in prop::collection::vec(prop::option::of(prop_oneof![Just(0), 1..4_u32, Just(u32::MAX)]), 1..6),
            random: u64,
        ) {
            let route = weighted(&weights);
            let order = ports(&route, random);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..).take(weights.len()).collect::<Vec<u16>>());
            if weights.iter().any(Option::is_some) {
                let zeros: Vec<bool> = order.iter().map(|port| weights[usize::from(*port)] == Some(0)).collect();
                prop_assert!(zeros.is_sorted(), "{:?}", order);
            }
            prop_assert_eq!(order, ports(&route, random));
        }
    }
}
